// SPDX-License-Identifier: Apache-2.0
// The state diagram, laid out as in RFC 9293, Figure 5. What ends in CLOSED by reset or timeout goes
// to a small box beside its state, or the figure would be all lines.

const BOX = {width: 124, height: 34};
const STATES = {
  "CLOSED": [500, 40], "LISTEN": [500, 175], "SYN-RECEIVED": [190, 290], "SYN-SENT": [810, 290],
  "ESTABLISHED": [500, 405], "FIN-WAIT-1": [190, 525], "CLOSE-WAIT": [810, 525],
  "FIN-WAIT-2": [190, 690], "CLOSING": [500, 625], "LAST-ACK": [810, 690],
  "TIME-WAIT": [500, 800], "CLOSED ": [810, 810],
};
// Path, then where the label stands (x, y, anchor).
const EDGES = {
  "CLOSED>LISTEN": ["M484,57 L484,158", 476, 104, "end"],
  "LISTEN>CLOSED": ["M516,158 L516,57", 524, 104, "start"],
  "CLOSED>SYN-SENT": ["M562,34 C740,40 840,150 826,273", 812, 104, "start"],
  "SYN-SENT>CLOSED": ["M792,273 C770,160 690,74 562,50", 712, 140, "end"],
  "LISTEN>SYN-SENT": ["M562,182 L748,278", 640, 244, "end"],
  "LISTEN>SYN-RECEIVED": ["M438,190 L252,286", 342, 262, "start"],
  "SYN-RECEIVED>LISTEN": ["M204,273 C230,200 320,166 438,168", 258, 178, "end"],
  "SYN-SENT>SYN-RECEIVED": ["M748,294 L252,294", 500, 268, "middle"],
  "SYN-SENT>ESTABLISHED": ["M792,307 L562,398", 690, 368, "start"],
  "SYN-RECEIVED>ESTABLISHED": ["M208,307 L438,398", 316, 368, "end"],
  "SYN-RECEIVED>FIN-WAIT-1": ["M176,307 L176,508", 168, 420, "end"],
  "SYN-RECEIVED>CLOSED": ["M164,273 L112,234", 58, 218, "end", 88, 224],
  "ESTABLISHED>FIN-WAIT-1": ["M438,414 L252,516", 352, 480, "start"],
  "ESTABLISHED>CLOSE-WAIT": ["M562,414 L748,516", 660, 450, "start"],
  "ESTABLISHED>CLOSED": ["M500,422 L500,480", 508, 458, "start", 500, 492],
  "FIN-WAIT-1>FIN-WAIT-2": ["M176,542 L176,673", 168, 612, "end"],
  "FIN-WAIT-1>CLOSING": ["M252,532 L438,616", 356, 552, "start"],
  "FIN-WAIT-1>TIME-WAIT": ["M214,542 L444,783", 350, 668, "start"],
  "FIN-WAIT-1>CLOSED": ["M128,525 L52,525", 60, 499, "middle", 24, 525],
  "FIN-WAIT-2>TIME-WAIT": ["M208,707 L438,796", 300, 770, "end"],
  "FIN-WAIT-2>CLOSED": ["M128,690 L52,690", 60, 664, "middle", 24, 690],
  "CLOSE-WAIT>LAST-ACK": ["M810,542 L810,673", 818, 612, "start"],
  "CLOSE-WAIT>CLOSED": ["M872,525 L948,525", 940, 499, "middle", 976, 525],
  "CLOSING>TIME-WAIT": ["M500,642 L500,783", 508, 716, "start"],
  "CLOSING>CLOSED": ["M562,625 L638,625", 630, 599, "middle", 666, 625],
  "LAST-ACK>CLOSED": ["M810,707 L810,793", 818, 752, "start"],
  "TIME-WAIT>CLOSED": ["M562,802 L748,808", 654, 778, "middle"],
  "TIME-WAIT>SYN-RECEIVED": ["M438,804 L60,804 C-20,804 -50,780 -50,720 L-50,390 C-50,320 -10,298 60,298 "
    + "L128,298", 110, 780, "middle"],
  "SYN-RECEIVED>TIME-WAIT": ["M128,284 L60,284 C-60,284 -90,320 -90,390 L-90,720 C-90,800 -40,816 40,816 "
    + "L438,816", 110, 834, "middle"],
};

const taken = (edge, tcp) => edge.results[tcp] || 0;

// Of the targets in question: how the edge is drawn.
function edgeClass(edge, tcps) {
  const possible = tcps.filter((tcp) => !edge.not_supported[tcp]);
  if (possible.length === 0) return "impossible";
  const least = Math.min(...possible.map((tcp) => taken(edge, tcp)));
  return "heat" + (least === 0 ? 0 : least < 3 ? 1 : least < 10 ? 2 : least < 30 ? 3 : 4);
}

function countText(edge, tcp) {
  if (edge.not_supported[tcp]) return "n/a";
  return taken(edge, tcp) + (edge.through.includes(tcp) ? "*" : "");
}

function drawDiagram(model, tcps, select) {
  const kinds = ["heat0", "heat1", "heat2", "heat3", "heat4", "impossible"];
  const root = svg("svg", {viewBox: "-110 8 1130 860", role: "img", class: "fsm",
    "aria-label": "State diagram of RFC 9293, Figure 5, coloured by how many cases took each edge"});
  root.append(svg("defs", {}, kinds.map((kind) => svg("marker", {
    id: "head-" + kind, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7, markerHeight: 7,
    orient: "auto-start-reverse", markerUnits: "userSpaceOnUse", class: kind,
  }, svg("path", {d: "M0,0 L10,5 L0,10 z"})))));
  for (const edge of model.run.fsm) {
    const geometry = EDGES[`${edge.from}>${edge.to}`];
    if (!geometry) continue;
    const [path, x, y, anchor, boxX, boxY] = geometry;
    const kind = edgeClass(edge, tcps);
    const group = svg("g", {
      class: "edge " + kind, tabindex: 0, role: "button", "data-edge": `${edge.from}>${edge.to}`,
      "aria-label": `${edge.from} to ${edge.to}, ${edge.cause}: ${tcps.map((tcp) =>
        tcp + " " + countText(edge, tcp)).join(", ")}`,
      onclick: () => select(edge),
      onkeydown: (event) => { if (event.key === "Enter") select(edge); },
    },
    svg("path", {d: path, class: "reach"}),
    svg("path", {d: path, class: "line", "marker-end": `url(#head-${kind})`}));
    if (boxX !== undefined) {
      group.append(svg("rect", {x: boxX - 27, y: boxY - 10, width: 54, height: 20, rx: 10,
        class: "stub"}), svg("text", {x: boxX, y: boxY + 4, "text-anchor": "middle",
        class: "stub"}, "CLOSED"));
    }
    group.append(svg("text", {x, y, "text-anchor": anchor, class: "cause"}, edge.cause),
      svg("text", {x, y: y + 14, "text-anchor": anchor, class: "count"},
        tcps.map((tcp) => countText(edge, tcp)).join(" · ")));
    root.append(group);
  }
  for (const [name, [x, y]] of Object.entries(STATES)) {
    root.append(svg("g", {class: "state"},
      svg("rect", {x: x - BOX.width / 2, y: y - BOX.height / 2, width: BOX.width,
        height: BOX.height, rx: 6}),
      svg("text", {x, y: y + 5, "text-anchor": "middle"}, name.trim())));
  }
  return root;
}

function edgeDetail(model, edge) {
  return el("section", {class: "edge-detail"},
    el("h2", {}, `${edge.from} → ${edge.to}`), el("p", {}, edge.cause),
    model.targets.map((tcp) => [el("h3", {}, `${tcp}: ${countText(edge, tcp)}`),
      edge.not_supported[tcp] && el("p", {}, edge.not_supported[tcp]),
      edge.through.includes(tcp) && el("p", {},
        "Only by way of the state between, within one segment."),
      el("p", {class: "covering"}, model.casesOfEdge(edge, tcp).map((one) =>
        el("a", {href: `#case/${encodeURIComponent(one.id)}/${tcp}`}, one.id)))]));
}

function fsmView(model, parameters) {
  let chosen = parameters.get("tcp") || "all";
  const detail = el("div", {"aria-live": "polite"});
  const holder = el("div", {class: "diagram"});
  const select = (edge) => {
    detail.replaceChildren(edgeDetail(model, edge));
    for (const node of document.querySelectorAll("[data-edge]")) {
      node.classList.toggle("chosen", node.dataset.edge === `${edge.from}>${edge.to}`);
    }
    detail.scrollIntoView({block: "nearest"});
  };
  const draw = () => holder.replaceChildren(
    drawDiagram(model, chosen === "all" ? model.targets : [chosen], select));
  const covered = (tcp) => {
    const possible = model.run.fsm.filter((edge) => !edge.not_supported[tcp]);
    return `${possible.filter((edge) => taken(edge, tcp)).length} of ${possible.length}`;
  };
  const page = el("section", {},
    el("div", {class: "filters"},
      el("div", {class: "toggles", role: "radiogroup", "aria-label": "Target"},
        ["all", ...model.targets].map((tcp) => el("label", {class: "radio"},
          el("input", {type: "radio", name: "tcp", value: tcp, checked: chosen === tcp,
            onchange: () => { chosen = tcp; draw(); }}),
          tcp, tcp !== "all" && el("small", {}, covered(tcp))))),
      el("p", {class: "legend"},
        [["heat0", "0"], ["heat1", "1–2"], ["heat2", "3–9"], ["heat3", "10–29"], ["heat4", "30+"],
          ["impossible", "not supported"]].map(([kind, text]) =>
          el("span", {}, el("i", {class: kind}), text)))),
    el("p", {class: "hint"}, "Results that took each edge, as the ends themselves reported their",
      ` states; where all targets are shown, in the order ${model.targets.join(" · ")}, coloured by`,
      " the least. * by way of the state between, within one segment. An edge can be clicked."),
    holder, detail,
    el("div", {class: "wide"}, el("table", {class: "edges"},
      el("thead", {}, el("tr", {}, ["from", "to", "by", ...model.targets].map((name) =>
        el("th", {scope: "col"}, name)))),
      el("tbody", {}, model.run.fsm.map((edge) => el("tr", {onclick: () => select(edge)},
        el("td", {}, edge.from), el("td", {}, edge.to), el("td", {}, edge.cause),
        model.targets.map((tcp) => el("td", {
          class: "n " + edgeClass(edge, [tcp]), title: edge.not_supported[tcp],
        }, countText(edge, tcp)))))))));
  draw();
  // A narrow screen begins in the middle, where CLOSED and LISTEN are.
  requestAnimationFrame(() => {
    holder.scrollLeft = (holder.scrollWidth - holder.clientWidth) / 2;
  });
  return page;
}
