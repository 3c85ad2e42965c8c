// `ackbell preview --html`: the messages in the page, as a channel would show them.
import { el } from "./dom.js";
import { content } from "./blocks.js";

const shown = JSON.parse(document.getElementById("messages").textContent);
document.getElementById("preview").append(...shown.map(({ name, message }) => el("section", { class: "sample" },
  name && el("h2", { text: name }),
  el("article", { class: "message" },
    el("span", { class: "avatar", "aria-hidden": "true" }),
    el("div", { class: "said" },
      el("div", { class: "by" }, el("strong", { text: "ackbell" }), el("span", { class: "app", text: "APP" })),
      content(message, {}))))));
