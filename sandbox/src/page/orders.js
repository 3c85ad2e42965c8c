// What people do, through the sandbox's control API, and what is said when it fails.
import { el } from "./dom.js";

/** Reads something of the sandbox; null where there is nothing. */
export async function ask(path) {
  const answer = await fetch(path);
  return answer.ok ? answer.json() : null;
}

/** Does something as a person; what went wrong is told, unless nobody asked for it. */
export async function order(what, body, isQuiet) {
  let answer;
  try {
    answer = await (await fetch(`/_sandbox/${what}`, { method: "POST", body: JSON.stringify(body) })).json();
  } catch {
    answer = { ok: false, error: "the sandbox doesn't run any more" };
  }
  if (!answer.ok && !isQuiet && answer.error !== "refused_by_client") tell(reason(answer.error), true);
  return answer;
}

function reason(error) {
  if (error === "operation_timeout") return "The app didn't answer within 3 seconds (operation_timeout).";
  if (error === "http_error") return "The app answered with an error (http_error).";
  if (error === "no_connection") return "No listener is connected: start ackbell listen (no_connection).";
  if (String(error).startsWith("connection_failed")) return `Nobody listens there: start ackbell listen (${error}).`;
  return String(error);
}

/** Says something for a few seconds. */
export function tell(words, isError) {
  const node = el("div", { class: isError ? "toast error" : "toast", role: isError ? "alert" : null, text: words });
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), isError ? 9000 : 4000);
}
