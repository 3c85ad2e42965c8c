//! The threads of the callbacks, and the channels to them. Each does work that may take longer than Slack waits.

use super::CallbackError;
use super::access_lookup::AccessLookup;
use super::action::{ActionWorker, WorkerMessage};
use super::ephemeral::EphemeralSender;
use super::form_opener::{FormOpener, FormRequest, OpenForms};
use super::home_tab::{HomeMessage, HomeWorker};
use super::slash_command::SlashWorker;
use super::slash_queue::SlashQueue;
use super::{DATABASE_PATIENCE, locked};
use crate::config::Config;
use crate::flow::callback::request::Requester;
use crate::flow::node::Node;
use crate::state_dir::listener_status::StatusWriter;
use crate::store::Store;
use crate::system::environment::Environment;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long a worker waits for the database; longer than a request may.
const WORKER_DATABASE_PATIENCE: Duration = Duration::from_secs(30);
/// How many forms may wait to be opened.
const FORMS_MAX: usize = 16;
/// How many slash commands are answered at once, each of another person.
const SLASH_WORKERS: usize = 2;
/// How long a stop waits for the replies that are under way.
const LAST_REPLIES_WITHIN: Duration = Duration::from_secs(3);

/// The running threads.
pub(super) struct Threads {
    actions: Mutex<Sender<WorkerMessage>>,
    action_worker: Mutex<Option<JoinHandle<()>>>,
    homes: Mutex<Sender<HomeMessage>>,
    pub(super) forms: SyncSender<FormRequest>,
    pub(super) open_forms: OpenForms,
    pub(super) slash_queue: Arc<SlashQueue>,
    pub(super) ephemeral: EphemeralSender,
}

impl Threads {
    /// Starts them; they end with the process, but for the action worker.
    pub(super) fn start(
        config: &Arc<Config>,
        env: &Environment,
        status: &StatusWriter,
        node: &Arc<Node>,
    ) -> Result<Self, CallbackError> {
        let store = |patience| Store::open(config.outbox_at(), patience).map(|(store, _)| store);
        let lookup = || AccessLookup::new(Arc::clone(config), env.clone());

        let (actions, action_inbox) = channel();
        let worker = ActionWorker::new(lookup(), store(WORKER_DATABASE_PATIENCE)?, status.clone(), Arc::clone(node));
        let action_worker = Builder::new().name("action-worker".into()).spawn(move || worker.run(&action_inbox))?;

        let slash_queue = Arc::new(SlashQueue::default());
        for _ in 0..SLASH_WORKERS {
            let worker = SlashWorker::new(lookup(), store(WORKER_DATABASE_PATIENCE)?, actions.clone());
            let queue = Arc::clone(&slash_queue);
            Builder::new().name("slash-worker".into()).spawn(move || worker.run(&queue))?;
        }

        let (homes, home_inbox) = channel();
        let worker = HomeWorker::new(lookup(), store(WORKER_DATABASE_PATIENCE)?, Arc::clone(node));
        Builder::new().name("home-worker".into()).spawn(move || worker.run(&home_inbox))?;

        let ephemeral = EphemeralSender::start(lookup())?;

        let (forms, form_inbox) = sync_channel(FORMS_MAX);
        let open_forms = OpenForms::default();
        let mut opener = FormOpener::new(lookup(), store(DATABASE_PATIENCE)?, ephemeral.clone(), open_forms.clone());
        Builder::new().name("form-opener".into()).spawn(move || opener.run(&form_inbox))?;

        let (actions, homes) = (Mutex::new(actions), Mutex::new(homes));
        let action_worker = Mutex::new(Some(action_worker));
        Ok(Self { actions, action_worker, homes, forms, open_forms, slash_queue, ephemeral })
    }

    /// There is something new in the outbox.
    pub(super) fn wake_action_worker(&self) {
        self.send(WorkerMessage::NewRequest);
    }

    /// A person opened the Home tab.
    pub(super) fn home_opened(&self, requester: Requester) {
        // The thread ends only with the process.
        let _ = locked(&self.homes).send(HomeMessage::Opened(requester));
    }

    /// A person asked what is wrong; `trigger` opens one view within 3 s.
    pub(super) fn problems_asked(&self, requester: Requester, trigger: String) {
        // The thread ends only with the process.
        let _ = locked(&self.homes).send(HomeMessage::Asked(requester, trigger));
    }

    /// Puts a changed configuration in force; the other threads get it with each request.
    pub(super) fn reconfigure(&self, config: Arc<Config>) {
        // The thread ends only with the process.
        let _ = locked(&self.homes).send(HomeMessage::Configuration(Arc::clone(&config)));
        self.send(WorkerMessage::Configuration(config));
    }

    /// Stops the action worker, and lets the others finish the replies under way, if Slack takes them soon.
    pub(super) fn stop(&self) {
        for unanswered in self.slash_queue.close() {
            let sentence = "ackbell is being restarted; ask again in a moment.";
            self.ephemeral.send(&unanswered.config, &unanswered.requester, sentence);
        }
        self.send(WorkerMessage::Stop);
        let action_worker = locked(&self.action_worker).take();
        if let Some(thread) = action_worker {
            let _ = thread.join();
        }
        let started = Instant::now();
        while (self.slash_queue.is_busy() || self.ephemeral.is_busy()) && started.elapsed() < LAST_REPLIES_WITHIN {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn send(&self, message: WorkerMessage) {
        // The worker ends only with the process.
        let _ = locked(&self.actions).send(message);
    }
}
