// SPDX-License-Identifier: Apache-2.0
// What differs between our stack and the kernel over the whole run, grouped by cause.

// How many places of a cause are shown before somebody asks for all.
const FIRST_PLACES = 20;

function placeRow(place) {
  return el("tr", {}, el("th", {scope: "row"},
    el("a", {href: `#case/${encodeURIComponent(place.case)}/stack`}, place.case),
    el("small", {}, place.line > 0 ? ` line ${place.line}` : "", " ", place.clause)),
  el("td", {}, el("code", {}, place.left)), el("td", {}, el("code", {}, place.right)));
}

function causeView(cause) {
  const cases = new Set(cause.places.map((place) => place.case)).size;
  const body = el("tbody");
  const more = el("button", {type: "button", class: "toggle", onclick: () => {
    appendLazily(body, cause.places.slice(FIRST_PLACES), placeRow);
    more.remove();
  }}, `all ${cause.places.length} places`);
  const details = el("details", {class: "cause", ontoggle: () => {
    if (body.childElementCount === 0) {
      body.append(...cause.places.slice(0, FIRST_PLACES).map(placeRow));
    }
  }},
  el("summary", {}, cause.text, el("small", {},
    ` ${cause.places.length} × in ${cases} ${cases === 1 ? "case" : "cases"}`)),
  el("div", {class: "wide"}, el("table", {},
    el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "where"),
      el("th", {scope: "col"}, "stack"), el("th", {scope: "col"}, "kernel"))), body)),
  cause.places.length > FIRST_PLACES && more);
  return details;
}

function differencesView(model) {
  const {causes} = model.run;
  if (causes.length === 0) {
    return el("p", {}, "No difference, or this run has not both the targets stack and kernel.");
  }
  return el("section", {class: "causes"},
    el("h1", {}, "Differences between stack and kernel"),
    el("p", {class: "hint"}, "Everything that one of the two did otherwise in the same case, grouped ",
      "by what differs. Initial sequence numbers, timestamps and cookies are random by nature and are ",
      "not compared; times differ when a step took 50 ms more or less."),
    causes.map((cause, i) => [
      cause.kind !== (i > 0 && causes[i - 1].kind) && el("h2", {}, cause.heading), causeView(cause),
    ]));
}
