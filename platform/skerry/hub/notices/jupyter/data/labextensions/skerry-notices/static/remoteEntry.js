// Notices in JupyterLab before a limit of the server bites. JupyterLab loads this file as it is.
//
// While nobody looks at the page it asks the server nothing: each request through the hub's proxy
// counts as use, and the server would never end. How long nobody has looked, it counts itself.
"use strict";
(() => {
  const ASK_EVERY_MS = 30000;
  const MINUTE_MS = 60000;

  /** Shows each notice once, and takes it away when its reason is gone. */
  class Board {
    constructor(commands) {
      this._commands = commands;
      this._shown = new Map();
    }

    async show(notices) {
      for (const [kind, id] of this._shown) {
        if (!notices.some((notice) => notice.kind === kind)) {
          this._shown.delete(kind);
          await this._commands.execute("apputils:dismiss-notification", { id });
        }
      }
      for (const { kind, message } of notices) {
        if (!this._shown.has(kind)) {
          const options = { autoClose: false };
          const notice = { message, type: "warning", options };
          this._shown.set(kind, await this._commands.execute("apputils:notify", notice));
        }
      }
    }
  }

  /** Return when to say that the server ends soon, in milliseconds after nobody looks any more. */
  function delayOf(limits) {
    return Math.max(limits.end_after_minutes - limits.warn_minutes, 0) * MINUTE_MS;
  }

  function watch(app) {
    const settings = app.serviceManager.serverSettings;
    const board = new Board(app.commands);
    let limits = null;
    let timer = null;

    async function ask() {
      if (document.hidden) {
        return;
      }
      const answer = await fetch(`${settings.baseUrl}skerry/notices`, {
        credentials: "same-origin",
        headers: { "X-XSRFToken": /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1] ?? "" },
      });
      if (answer.ok) {
        limits = await answer.json();
        await board.show(limits.notices);
      }
    }

    function follow() {
      clearTimeout(timer);
      if (!document.hidden) {
        ask().catch(() => undefined); // the next time comes soon
      } else if (limits?.end_after_minutes) {
        const message = limits.idle_message;
        timer = setTimeout(() => board.show([{ kind: "idle", message }]), delayOf(limits));
      }
    }

    document.addEventListener("visibilitychange", follow);
    setInterval(() => ask().catch(() => undefined), ASK_EVERY_MS);
    app.restored.then(follow);
  }

  const plugin = { id: "skerry-notices:plugin", autoStart: true, activate: watch };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["skerry-notices"] = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
