// Names for the controls that Bokeh's widgets leave without one: the slider's handle, and the two
// small buttons of a number field, which only a mouse can use (the field itself takes arrow keys).
(() => {
  const nameControls = (root) => {
    const label = root.querySelector(".bk-slider-title, label")?.textContent.split(":")[0].trim();
    if (!label) return;
    const name = (control, text) => root.querySelector(control)?.setAttribute("aria-label", text);
    name(".noUi-handle", label);
    name(".bk-spin-btn-up", `${label}: higher`);
    name(".bk-spin-btn-down", `${label}: lower`);
    for (const button of root.querySelectorAll(".bk-spin-btn")) button.tabIndex = -1;
  };

  // each widget lives in a shadow root of its own, which only its maker sees
  const attachShadow = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function attach(options) {
    const root = attachShadow.call(this, options);
    new MutationObserver(() => nameControls(root)).observe(root, {
      childList: true,
      subtree: true,
    });
    return root;
  };
})();
