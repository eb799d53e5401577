"""The keys of the page's widgets and styled containers.

A key is an interface: tests and Streamlit's agent API find a widget by it, styles find a container by it, and
its value is ``st.session_state[key]``. Where there are several widgets of a kind, the key is a function of
what tells them apart. The widgets of a call have the call's key and a suffix.
"""

PAGE = "page"
"""Not a widget: the object that holds everything else, see ``assistant.ui.state``."""

# --- the page ---------------------------------------------------------------------------------------

PROMPT = "prompt"
EXAMPLES = "examples"
DEMO_CONNECT = "demo_connect"
NEW_CHAT = "new_chat"
NEW_CHAT_ON_PHONE = "new_chat_on_phone"
INSPECTOR = "inspector"
LANGUAGE = "language"
STOP = "stop"
STOP_ELSEWHERE = "stop_elsewhere"
EARLIER = "earlier"
RETRY = "retry"
FAILURE_CONNECTION = "failure_connection"
STYLES = "styles"
ANNOUNCEMENTS = "announcements"
SCROLLING = "scrolling"
SCRIPTS = "scripts"
COMPOSER = "composer"
example = "example_{}".format
example_recording = "example_recording_{}".format

# --- login ------------------------------------------------------------------------------------------

LOGIN = "login"
PASSWORD = "password"
LOG_IN = "log_in"
SIGN_OUT = "sign_out"
sign_in = "sign_in_{}".format

# --- messages ---------------------------------------------------------------------------------------

actions = "actions_{}".format
copy = "copy_{}".format
edit = "edit_{}".format
edited_text = "edit_text_{}".format
send_edited = "save_{}".format
cancel_edit = "cancel_{}".format
regenerate = "regenerate_{}".format
branch = "branch_{}_{}".format
more_calls = "more_calls_{}".format
thumbs = "thumbs_{}".format
comment = "comment_{}".format
waiting = "waiting-{}".format
send_now = "send_now_{}".format
unqueue = "take_back_{}".format

# --- composer ---------------------------------------------------------------------------------------

TRANSCRIBE_AGAIN = "transcribe_again"
DISCARD_AUDIO = "discard_audio"
TOOLS = "hosted_tools"
detach = "detach_{}".format


def tool_toggle(kind: str, name: str) -> str:
    return f"hosted_{kind}_{name}" if name else f"hosted_{kind}"


# --- threads ----------------------------------------------------------------------------------------

SEARCH = "search"
THREADS = "threads"
MORE_THREADS = "more_threads"
THREADS_ON_SERVER = "at_server"
IMPORT = "import"
RENAME = "rename"
DELETE = "delete"
CANCEL = "cancel"
open_thread = "open_thread_{}".format
thread_menu = "menu_{}".format
title = "title_{}".format
export = "export_{}".format

# --- connection -------------------------------------------------------------------------------------

CONNECTION_OPEN = "open_connection"
CONNECTION_FORM = "connection_form"
CONNECTION = "connection"
CONNECTION_API_KEY = "connection_key"
CONNECTION_URL = "connection_url"
CONNECTION_URL_API_KEY = "connection_url_key"
CONNECTION_LOCAL = "connection_local"
CONNECTION_MODEL = "connection_model"
CONNECTION_TRANSPORT = "connection_transport"
CONNECTION_EFFORT = "connection_effort"
CONNECTION_REFRESH = "connection_refresh"
CONNECTION_TEST = "connection_test"
CONNECTION_USE = "connection_use"

# --- inspector --------------------------------------------------------------------------------------

INSPECTOR_SIDE = "inspector_side"
INSPECTOR_SHEET_TOP = "inspector_sheet_top"
INSPECTOR_CLOSE = "inspector_close"
INSPECTOR_TAB = "inspector_tab"
APPROVE_ALL = "approve_all"
OPEN_RECORDING = "open_recording"
RECORDING_FILE = "recording_file"
REPLAY_FUNCTIONS = "replay_functions"
REQUEST_RESET = "request_reset"
REQUEST_MESSAGE = "request_message"
REQUEST_COUNT = "request_count"
request_option = "request_{}".format
FAULTS = "faults"
FAULTS_STREAM = "fault_stream"
FAULTS_FUNCTIONS = "fault_functions"
CLEAR_FAULTS = "clear_faults"
recording = "recording_{}".format
INSPECTOR_RUN = "inspector_run"
INSPECTOR_VIEW = "inspector_view"
INSPECTOR_EVENTS = "inspector_events"
INSPECTOR_TYPES = "inspector_types"
INSPECTOR_ROUNDS = "inspector_rounds"
INSPECTOR_SAVE_EVENT = "inspector_save_event"
INSPECTOR_SPANS = "inspector_spans"
INSPECTOR_WATERFALL = "inspector_waterfall"
INSPECTOR_FIGURES = "inspector_figures"
INSPECTOR_MERMAID = "inspector_mermaid"
INSPECTOR_SAVE = "inspector_save"
INSPECTOR_SAVE_TEST = "inspector_save_test"
INSPECTOR_SPEED = "inspector_speed"
INSPECTOR_REPLAY = "inspector_replay"
inspector_finding = "inspector_finding_{}".format
RUNNER_FUNCTION = "runner_function"
RUNNER_RUN = "runner_run"
RUNNER_SCHEMA = "runner_schema"
RUNNER_AS_JSON = "runner_as_json"
RUNNER_VIEW = "runner_view"
runner_json = "runner_json_{}".format
runner_argument = "runner_{}_{}".format
