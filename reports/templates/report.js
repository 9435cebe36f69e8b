// Draws every figure of the page from the JSON beside it: for this width, and for a light or dark screen.
(function () {
  "use strict";

  const NARROW = 520;
  const PANEL_ON_PAPER = 240; // three beside each other are 6 cm wide
  const framed = document.documentElement.dataset.framed === "true";
  const partners = JSON.parse(document.getElementById("dark-colours").textContent);
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = Array.from(document.querySelectorAll(".plot"));
  let printing = false;

  function isDark() {
    return scheme.matches && !framed && !printing;
  }

  // The dark colours stand in the same places as the light ones, so the text of the JSON is swapped.
  function coloured(text) {
    return isDark() ? text.replace(/#[0-9a-f]{6}/gi, (hex) => partners[hex.toLowerCase()] || hex) : text;
  }

  // "margin.l" is a place in the layout, "data.0.textfont.size" one in the traces.
  function put(figure, path, value) {
    const steps = path.split(".");
    let place = steps[0] === "data" ? figure : figure.layout;
    for (const step of steps.slice(0, -1)) {
      place[step] = place[step] || {};
      place = place[step];
    }
    place[steps[steps.length - 1]] = value;
  }

  function read(plot, narrow, colour) {
    const figure = JSON.parse(colour(document.getElementById(plot.dataset.figure).textContent));
    const changes = (figure.layout.meta && figure.layout.meta.narrow) || {};
    if (narrow) {
      for (const path of Object.keys(changes)) {
        put(figure, path, changes[path]);
      }
    }
    return figure;
  }

  function draw(plot) {
    const narrow = plot.clientWidth < NARROW;
    const figure = read(plot, narrow, coloured);
    if (printing && plot.closest(".columns-3")) {
      figure.layout.height = Math.min(figure.layout.height, PANEL_ON_PAPER);
    }
    plot.style.height = figure.layout.height + "px";
    plot.dataset.drawn = narrow ? "narrow" : "wide";
    plot.dataset.width = String(plot.clientWidth);
    const config = {
      responsive: true,
      displaylogo: false,
      displayModeBar: false, // it would lie over the figure: the button in the caption does its work
      scrollZoom: false,
      doubleClick: false,
      showTips: false,
    };
    return window.Plotly.react(plot, figure.data, figure.layout, config);
  }

  // Saved as for print: light, wide, on white.
  function save(plot) {
    const figure = read(plot, false, (text) => text);
    const size = { width: Math.min(800, parseInt(plot.style.maxWidth, 10) || 800), height: figure.layout.height };
    figure.layout.paper_bgcolor = "#ffffff";
    if (plot.closest(".panel")) {
      // a panel leaves its legend to the page; alone it needs its own
      figure.layout.showlegend = document.querySelector("#" + plot.closest("figure").id + " .legend") !== null;
      figure.layout.margin.t = 28;
      size.width = 480;
    }
    window.Plotly.downloadImage(figure, { format: "svg", filename: plot.id.replace("-plot", ""), ...size });
  }

  // One per figure, in its caption; one per panel, beside its title.
  function addSaveButtons() {
    for (const plot of plots) {
      const place = plot.closest("figure, .panel").querySelector("[data-save]");
      const button = document.createElement("button");
      button.className = "save";
      button.type = "button";
      button.textContent = "SVG";
      button.title = "Save this figure as SVG";
      button.setAttribute("aria-label", "Save figure " + place.dataset.save + " as SVG");
      button.addEventListener("click", () => save(plot));
      place.prepend(button);
    }
  }

  function drawAll() {
    plots.forEach(draw);
  }

  // One figure at a time, so that the page can be scrolled while the rest are drawn.
  function drawFrom(position) {
    if (position < plots.length) {
      if (!plots[position].dataset.drawn) {
        draw(plots[position]);
      }
      window.setTimeout(() => drawFrom(position + 1), 0);
    } else {
      document.documentElement.dataset.ready = "true";
    }
  }

  // A window can change its size, but so can a column of it: the box itself is watched.
  function fit(plot) {
    const width = plot.clientWidth;
    if (!plot.dataset.drawn || plot.dataset.width === String(width)) {
      return;
    }
    plot.dataset.width = String(width);
    if (plot.dataset.drawn !== (width < NARROW ? "narrow" : "wide")) {
      draw(plot);
    } else {
      window.Plotly.Plots.resize(plot);
    }
  }

  function watchWidths() {
    const watcher = new ResizeObserver((entries) => {
      window.requestAnimationFrame(() => entries.forEach((entry) => fit(entry.target)));
    });
    plots.forEach((plot) => watcher.observe(plot));
  }

  function markCurrent() {
    const links = new Map();
    for (const link of document.querySelectorAll(".contents a")) {
      links.set(link.hash.slice(1), link);
    }
    const watcher = new IntersectionObserver(
      (entries) => {
        const entry = entries.find((one) => one.isIntersecting);
        if (entry && links.has(entry.target.id)) {
          links.forEach((link) => link.removeAttribute("aria-current"));
          links.get(entry.target.id).setAttribute("aria-current", "true");
        }
      },
      { rootMargin: "-10% 0px -80% 0px" }
    );
    document.querySelectorAll("section[id]").forEach((section) => watcher.observe(section));
  }

  // Inside a notebook the page is a frame, which has no height of its own.
  function fitFrame() {
    const frame = window.frameElement;
    if (framed && frame) {
      new ResizeObserver(() => {
        window.requestAnimationFrame(() => {
          frame.style.height = document.documentElement.scrollHeight + "px";
        });
      }).observe(document.body);
    }
  }

  // A table that is wider than its box says so, and keeps its first column in sight.
  function watchTables() {
    const boxes = document.querySelectorAll(".scroll");
    const mark = (box) => box.toggleAttribute("data-wide", box.scrollWidth > box.clientWidth + 1);
    const watcher = new ResizeObserver((entries) => {
      // a mark changes the box's height: within the observer's own turn the browser would complain
      window.requestAnimationFrame(() => entries.forEach((entry) => mark(entry.target)));
    });
    boxes.forEach((box) => watcher.observe(box));
  }

  // Paper is narrower than the screen: the page takes its width first, then every figure is drawn anew.
  function print(isPrinting) {
    printing = isPrinting;
    document.documentElement.toggleAttribute("data-printing", isPrinting);
    if (isPrinting) {
      document.querySelectorAll("main details").forEach((details) => (details.open = true));
    }
    drawAll();
  }

  scheme.addEventListener("change", drawAll);
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  if (window.innerWidth < 1100) {
    document.querySelectorAll(".contents details").forEach((details) => (details.open = false));
  }
  addSaveButtons();
  watchWidths();
  watchTables();
  markCurrent();
  fitFrame();
  drawFrom(0);
})();
