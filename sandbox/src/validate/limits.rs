//! Slack's limits, all in one place.
//! <https://docs.slack.dev/reference/block-kit/>, <https://docs.slack.dev/reference/block-kit/block-elements/>,
//! <https://docs.slack.dev/reference/block-kit/composition-objects/>

pub(super) const BLOCKS_MESSAGE_MAX: usize = 50;
pub(super) const BLOCKS_VIEW_MAX: usize = 100;
pub(super) const BLOCK_ID_MAX: usize = 255;
pub(super) const ACTION_ID_MAX: usize = 255;
pub(super) const TEXT_MAX: usize = 3000;
pub(super) const HEADER_MAX: usize = 150;
pub(super) const SECTION_FIELDS_MAX: usize = 10;
pub(super) const SECTION_FIELD_MAX: usize = 2000;
pub(super) const CONTEXT_ELEMENTS_MAX: usize = 10;
pub(super) const ACTIONS_ELEMENTS_MAX: usize = 25;
pub(super) const BUTTON_TEXT_MAX: usize = 75;
pub(super) const BUTTON_VALUE_MAX: usize = 2000;
pub(super) const URL_MAX: usize = 3000;
pub(super) const ACCESSIBILITY_LABEL_MAX: usize = 75;
pub(super) const IMAGE_TEXT_MAX: usize = 2000;
pub(super) const PLACEHOLDER_MAX: usize = 150;
pub(super) const INPUT_TEXT_MAX: usize = 2000;
pub(super) const INPUT_LENGTH_MAX: u64 = 3000;
pub(super) const OPTIONS_MAX: usize = 100;
pub(super) const OPTION_GROUPS_MAX: usize = 100;
pub(super) const OPTION_TEXT_MAX: usize = 75;
pub(super) const OPTION_VALUE_MAX: usize = 150;
pub(super) const OVERFLOW_OPTIONS_MAX: usize = 5;
pub(super) const CHOICES_MAX: usize = 10;
pub(super) const CONFIRM_TITLE_MAX: usize = 100;
pub(super) const CONFIRM_TEXT_MAX: usize = 300;
pub(super) const CONFIRM_BUTTON_MAX: usize = 30;
pub(super) const MARKDOWN_MAX: usize = 12_000;
pub(super) const TABLE_ROWS_MAX: usize = 100;
pub(super) const TABLE_CELLS_MAX: usize = 20;
pub(super) const VIDEO_TITLE_MAX: usize = 200;
pub(super) const VIDEO_AUTHOR_MAX: usize = 50;
/// <https://docs.slack.dev/reference/views/modal-views>
pub(super) const VIEW_TITLE_MAX: usize = 24;
pub(super) const VIEW_CALLBACK_ID_MAX: usize = 255;
pub(super) const VIEW_METADATA_MAX: usize = 3000;
/// <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>
pub(super) const ATTACHMENT_FOOTER_MAX: usize = 300;
pub(super) const ATTACHMENT_ACTIONS_MAX: usize = 5;
pub(super) const ATTACHMENT_VALUE_MAX: usize = 2000;
