//! `ackbell sandbox`: the stand-in for Slack, in the foreground.

use super::args::SandboxArgs;
use super::{Exit, Output};
use ackbell_sandbox::{Options, Sandbox};

/// The tokens and signing secret of the sandbox; they open nothing but it.
const BOT_TOKEN: &str = "xoxb-sandbox-0000000000";
const APP_TOKEN: &str = "xapp-sandbox-0000000000";
const SIGNING_SECRET: &str = "sandbox-signing-secret";

pub(super) fn run(args: SandboxArgs, out: &mut Output) -> Exit {
    let options = Options {
        listen: args.listen,
        tls: args.tls_cert.zip(args.tls_key),
        bot_token: BOT_TOKEN.to_owned(),
        app_token: APP_TOKEN.to_owned(),
        signing_secret: SIGNING_SECRET.to_owned(),
        request_url: args.request_url,
        strict_pace: true,
        burst: args.burst,
    };
    match Sandbox::start(options) {
        Ok(sandbox) => {
            let url = sandbox.base_url();
            out.line(&format!("sandbox: listening on {url}"));
            out.line(&format!("webhook_url = \"{url}/services/T0SANDBOX/B0000001/try\""));
            out.line(&format!("bot_token = \"{BOT_TOKEN}\""));
            out.line(&format!("api_url = \"{url}/api/\""));
            out.line("channel = \"#ops\"");
            out.line(&format!("app_token = \"{APP_TOKEN}\""));
            out.line(&format!("signing_secret = \"{SIGNING_SECRET}\""));
            out.line(&format!("watch it, and click: {url}/ in a browser"));
            out.line(&format!("messages it received: curl -s {url}/_sandbox/messages"));
            sandbox.wait();
            Exit::Done
        }
        Err(e) => {
            out.error(&format!("can't listen on {}: {e}; choose another with --listen", args.listen));
            Exit::Unavailable
        }
    }
}
