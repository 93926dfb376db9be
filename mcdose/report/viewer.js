// The viewer of report.html: slices of the CT with a layer over it. Everything it reads is in the page.
(async () => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("report-data").textContent);
  const AXES = ["z", "y", "x"];
  const [nz, ny, nx] = data.shape;
  const strides = [ny * nx, nx, 1];
  const LEVELS = data.levels;
  const SAY_AFTER_MS = 700;

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(byId(id).textContent), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  let ct, codes, masks;
  try {
    ct = new Int16Array(await unpacked("ct"));
    codes = await Promise.all(data.layers.map(async (_, k) => new Uint16Array(await unpacked(`layer-${k}`))));
    masks = await Promise.all(data.structures.map(async (_, k) => new Uint8Array(await unpacked(`structure-${k}`))));
  } catch (error) {
    byId("unable").hidden = false;
    return;
  }

  // Values: see mcdose/report/encoding.py.
  function value(layer, index) {
    const code = codes[layer][index];
    if (code === data.nothing) return NaN;
    const k = code - LEVELS;
    return k === 0 ? 0 : Math.sign(k) * data.layers[layer].largest * Math.exp(data.step * (Math.abs(k) - LEVELS));
  }
  const inside = (structure, index) => (masks[structure][index >> 3] >> (index & 7)) & 1;

  const firstDose = Math.max(0, data.layers.findIndex((layer) => layer.kind === "dose"));
  const state = {
    at: [...data.start],
    layer: 0,
    from: data.show_from * data.layers[firstDose].top,
    tops: data.layers.map((layer) => layer.top),
    opacity: data.opacity,
    level: 40,
    width: 400,
    smooth: false,
    outlined: new Set(),
  };

  // Colours and opacity of all codes of the chosen layer.
  const palette = new Uint8ClampedArray(3 * (2 * LEVELS + 1));
  const weight = new Float32Array(2 * LEVELS + 1);
  const table = (kind) => data.maps[kind].match(/../g).map((pair) => parseInt(pair, 16));
  function colour(samples, place) {
    const last = samples.length / 3 - 1;
    const at = Math.min(1, Math.max(0, place)) * last;
    const k = Math.min(last - 1, Math.floor(at));
    return [0, 1, 2].map((c) => samples[3 * k + c] + (at - k) * (samples[3 * k + 3 + c] - samples[3 * k + c]));
  }
  function mix() {
    const { kind, largest } = data.layers[state.layer];
    const samples = table(kind);
    const top = state.tops[state.layer];
    for (let code = 0; code <= 2 * LEVELS; code++) {
      const k = code - LEVELS;
      const number = k === 0 ? 0 : Math.sign(k) * largest * Math.exp(data.step * (Math.abs(k) - LEVELS));
      palette.set(colour(samples, kind === "difference" ? 0.5 + 0.5 * number / top : number / top), 3 * code);
      weight[code] = kind === "dose" ? Math.min(1, Math.max(0, number / top / data.full_from)) : 1;
    }
    const bar = byId("bar").getContext("2d");
    const pixels = bar.createImageData(256, 1);
    for (let k = 0; k < 256; k++) pixels.data.set([...colour(samples, k / 255), 255], 4 * k);
    bar.putImageData(pixels, 0, 0);
    const low = kind === "difference" ? -top : 0;
    const marks = document.querySelectorAll("#viewer .ticks li");
    marks.forEach((mark, k) => {
      mark.textContent = String(Number((low + k * (top - low) / (marks.length - 1)).toPrecision(3)));
    });
  }
  function lowestCode() { // of the dose that decides where a layer is drawn
    const { largest } = data.layers[data.layers[state.layer].kind === "dose" ? state.layer : firstDose];
    if (!(state.from > 0) || !(largest > 0)) return 0;
    return LEVELS + Math.max(1, Math.ceil(LEVELS + Math.log(state.from / largest) / data.step));
  }

  const views = data.views.map((view) => {
    const id = view.name.toLowerCase();
    const canvas = byId(id);
    const picture = document.createElement("canvas");
    picture.width = data.shape[view.across];
    picture.height = data.shape[view.down];
    return { ...view, id, canvas, picture, slider: byId(`${id}-slice`), output: byId(`${id}-at`) };
  });
  const row = (view, along) => (view.upside_down ? view.picture.height - 1 - along : along);

  function paint(view) {
    const { picture, canvas } = view;
    const columns = picture.width, rows = picture.height;
    const across = strides[view.across], down = strides[view.down];
    const base = state.at[view.axis] * strides[view.axis];
    const pixels = new ImageData(columns, rows);
    const over = codes[state.layer];
    const dose = data.layers[state.layer].kind === "dose" ? over : codes[firstDose];
    const lowest = lowestCode();
    const black = state.level - state.width / 2, grey = 255 / state.width;
    const alpha = state.opacity;
    for (let j = 0, p = 0; j < rows; j++) {
      let index = base + row(view, j) * down;
      for (let i = 0; i < columns; i++, p += 4, index += across) {
        const shade = Math.min(255, Math.max(0, (ct[index] - black) * grey));
        const code = over[index];
        const seen = code !== data.nothing && dose[index] !== data.nothing && dose[index] >= lowest;
        const a = seen ? alpha * weight[code] : 0;
        for (let c = 0; c < 3; c++) pixels.data[p + c] = seen ? a * palette[3 * code + c] + (1 - a) * shade : shade;
        pixels.data[p + 3] = 255;
      }
    }
    picture.getContext("2d").putImageData(pixels, 0, 0);

    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = state.smooth;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, 0, 0, width, height);
    const x = width / columns, y = height / rows;
    for (const k of state.outlined) outline(view, pen, k, base, x, y, ratio);
    crossHair(view, pen, x, y, width, height, ratio);
  }

  function outline(view, pen, structure, base, x, y, ratio) {
    const columns = view.picture.width, rows = view.picture.height;
    const across = strides[view.across], down = strides[view.down];
    const at = (i, j) => i >= 0 && j >= 0 && i < columns && j < rows
      && inside(structure, base + row(view, j) * down + i * across);
    pen.beginPath();
    for (let j = 0; j <= rows; j++) {
      for (let i = 0; i <= columns; i++) {
        const here = at(i, j);
        if (here !== at(i, j - 1)) {
          pen.moveTo(i * x, j * y);
          pen.lineTo((i + 1) * x, j * y);
        }
        if (here !== at(i - 1, j)) {
          pen.moveTo(i * x, j * y);
          pen.lineTo(i * x, (j + 1) * y);
        }
      }
    }
    pen.lineCap = "square";
    pen.setLineDash([]);
    pen.strokeStyle = "rgb(0 0 0 / 0.55)";
    pen.lineWidth = 3 * ratio;
    pen.stroke();
    pen.lineCap = "butt";
    pen.setLineDash(data.structures[structure].dashed ? [2 * ratio, 2 * ratio] : []);
    pen.strokeStyle = data.structures[structure].colour;
    pen.lineWidth = 1.5 * ratio;
    pen.stroke();
    pen.setLineDash([]);
  }

  function crossHair(view, pen, x, y, width, height, ratio) {
    const h = (state.at[view.across] + 0.5) * x;
    const v = (row(view, state.at[view.down]) + 0.5) * y;
    const gap = 8 * ratio;
    pen.beginPath();
    for (const [a, b, c, d] of [[0, v, h - gap, v], [h + gap, v, width, v], [h, 0, h, v - gap], [h, v + gap, h, height]]) {
      pen.moveTo(a, b);
      pen.lineTo(c, d);
    }
    for (const [colour, line] of [["rgb(0 0 0 / 0.6)", 3], ["rgb(255 255 255 / 0.85)", 1]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = line * ratio;
      pen.stroke();
    }
  }

  // Words and numbers.
  function shown(number) {
    if (Number.isNaN(number)) return "not reported";
    if (number === 0) return "0";
    const digits = /^0*[.]?0*1/.test(Math.abs(number).toFixed(12)) ? 4 : 3; // 1.234, but 54.3
    return number.toFixed(Math.min(12, Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(number))))));
  }
  const position = (axis, index) => (data.origin_mm[axis] + index * data.voxel_mm[axis]).toFixed(1);
  const place = (at) => [2, 1, 0].map((k) => [0, 1, 2] // of the patient, where `position` is along the grid's own axes
    .reduce((sum, axis) => sum + (data.origin_mm[axis] + at[axis] * data.voxel_mm[axis]) * data.direction[axis][k], 0));
  const indexOf = (at) => at[0] * strides[0] + at[1] * strides[1] + at[2];
  function reading(layer, index) {
    const { kind, unit, largest } = data.layers[layer];
    const number = value(layer, index);
    if (number === 0 && kind === "dose" && largest > 0) {
      return `below ${shown(largest * Math.exp(-data.step * LEVELS))} ${unit}`;
    }
    return Number.isNaN(number) ? "not reported" : `${shown(number)} ${unit}`;
  }
  function lines(at) {
    const index = indexOf(at);
    const names = data.structures.filter((_, k) => inside(k, index)).map((structure) => structure.name);
    return [
      ["x, y, z [mm]", place(at).map((mm) => mm.toFixed(1)).join(", ")],
      ...data.layers.map((layer, k) => [layer.name, reading(k, index)]),
      ["CT number", `${ct[index]} HU`],
      ["Inside", names.join(", ") || "no structure"],
    ];
  }
  function read(at, title) {
    byId("readout-title").textContent = title;
    byId("readout").replaceChildren(...lines(at).flatMap(([label, text]) => {
      const term = document.createElement("dt"), description = document.createElement("dd");
      term.textContent = label;
      description.textContent = text;
      return [term, description];
    }));
  }
  let waiting;
  function say() { // once the cross-hair rests
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      byId("said").textContent = lines(state.at).map((line) => line.join(": ")).join("; ");
    }, SAY_AFTER_MS);
  }

  function draw() {
    for (const view of views) {
      paint(view);
      const at = `${AXES[view.axis]} = ${position(view.axis, state.at[view.axis])} mm`;
      view.slider.value = state.at[view.axis];
      view.slider.setAttribute("aria-valuetext", at);
      view.output.textContent = at.slice(4);
    }
  }
  let asked = false;
  function redraw() { // once a frame
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  }
  function go(axis, index) {
    state.at[axis] = Math.min(data.shape[axis] - 1, Math.max(0, index));
    read(state.at, "At the cross-hair");
    say();
    redraw();
  }

  function voxelUnder(view, event) {
    const box = view.canvas.getBoundingClientRect();
    const at = [...state.at];
    const clamp = (share, size) => Math.min(size - 1, Math.max(0, Math.floor(share * size)));
    at[view.across] = clamp((event.clientX - box.left) / box.width, view.picture.width);
    at[view.down] = row(view, clamp((event.clientY - box.top) / box.height, view.picture.height));
    return at;
  }
  for (const view of views) {
    const { canvas, slider } = view;
    const follow = (event) => {
      state.at = voxelUnder(view, event);
      go(view.axis, state.at[view.axis]);
    };
    canvas.addEventListener("click", follow);
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" && event.buttons === 1) follow(event);
      else if (event.pointerType !== "touch") read(voxelUnder(view, event), "Under the pointer");
    });
    canvas.addEventListener("pointerleave", () => read(state.at, "At the cross-hair"));
    canvas.addEventListener("wheel", (event) => { // only where the reader has clicked, so that the page still scrolls
      if (document.activeElement !== canvas) return;
      event.preventDefault();
      go(view.axis, state.at[view.axis] + Math.sign(event.deltaY));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const turn = view.upside_down ? -1 : 1;
      const moves = {
        ArrowLeft: [view.across, -1], ArrowRight: [view.across, 1],
        ArrowUp: [view.down, -turn], ArrowDown: [view.down, turn],
        PageUp: [view.axis, 1], PageDown: [view.axis, -1],
      };
      const move = moves[event.key];
      if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      go(move[0], state.at[move[0]] + move[1] * (event.shiftKey ? 10 : 1));
    });
    slider.addEventListener("input", () => go(view.axis, Number(slider.value)));
  }

  // Controls.
  function chosen() {
    const layer = data.layers[state.layer];
    document.querySelectorAll("#viewer .unit").forEach((unit) => { unit.textContent = layer.unit; });
    document.querySelector("#viewer .bar-title").textContent = `${layer.name} [${layer.unit}]`;
    byId("top").value = state.tops[state.layer];
    mix();
    redraw();
  }
  byId("layer").addEventListener("change", (event) => {
    state.layer = Number(event.target.value);
    chosen();
  });
  byId("top").addEventListener("input", (event) => {
    const top = Number(event.target.value);
    if (!(top > 0)) return;
    const { kind } = data.layers[state.layer];
    data.layers.forEach((layer, k) => { // one scale for all doses
      if (k === state.layer || (kind === "dose" && layer.kind === "dose")) state.tops[k] = top;
    });
    mix();
    redraw();
  });
  byId("from").addEventListener("input", (event) => {
    state.from = Math.max(0, Number(event.target.value));
    redraw();
  });
  byId("opacity").addEventListener("input", (event) => {
    state.opacity = Number(event.target.value) / 100;
    redraw();
  });
  byId("smooth").addEventListener("change", (event) => {
    state.smooth = event.target.checked;
    redraw();
  });
  byId("window").addEventListener("change", (event) => {
    const [level, width] = event.target.value.split(" ").map(Number);
    if (event.target.selectedOptions[0].textContent !== "Own") setWindow(level, width);
  });
  function setWindow(level, width) {
    [state.level, state.width] = [level, width];
    [byId("level").value, byId("width").value] = [level, width];
    redraw();
  }
  for (const id of ["level", "width"]) {
    byId(id).addEventListener("input", (event) => {
      const number = Number(event.target.value);
      if (event.target.value === "" || (id === "width" && !(number > 0))) return;
      state[id] = number;
      byId("window").selectedIndex = byId("window").options.length - 1;
      redraw();
    });
  }
  const boxes = [...document.querySelectorAll("#viewer [data-structure]")];
  function outlines() {
    state.outlined = new Set(boxes.filter((box) => box.checked).map((box) => Number(box.dataset.structure)));
    redraw();
  }
  boxes.forEach((box) => box.addEventListener("change", outlines));
  for (const [id, all] of [["all", true], ["none", false]]) {
    byId(id)?.addEventListener("click", () => {
      boxes.forEach((box) => { box.checked = all; });
      outlines();
    });
  }

  byId("opacity").value = 100 * state.opacity;
  byId("from").value = Number(state.from.toPrecision(2));
  state.from = Number(byId("from").value);
  byId("viewer").hidden = false;
  document.documentElement.classList.add("live");
  setWindow(state.level, state.width);
  outlines();
  chosen();
  read(state.at, "At the cross-hair");
  new ResizeObserver(redraw).observe(byId("viewer"));
  document.documentElement.dataset.ready = "yes";
})();
