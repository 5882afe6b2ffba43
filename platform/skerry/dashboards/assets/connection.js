// Pages live from a websocket. When it breaks, what they show is old: say so, grey it out, and
// load the page again as soon as the platform answers.
(() => {
  const script = document.currentScript;
  const health = script.dataset.health;
  const pause = 1500;
  let leaving = false;
  let lost = false;

  const wait = () => new Promise((go) => setTimeout(go, pause));

  const answers = async () => {
    try {
      return (await fetch(health, { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  };

  const heal = async () => {
    if (leaving || lost) return;
    lost = true;
    document.body.classList.add("stale");
    document.querySelector("main").inert = true;
    document.getElementById("lost").hidden = false;
    do {
      await wait();
    } while (!(await answers()));
    location.reload();
  };

  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...address) {
      super(...address);
      this.addEventListener("close", heal);
    }
  };
  addEventListener("pagehide", () => { leaving = true; });
  // A page that comes back from the browser's store has no connection any more.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
