// The mark: a tamis from above, the hoop and its mesh, one hole holding something back.

import { svg } from "lit-html";

export const mark = svg`
  <circle cx="16" cy="16" r="14.25" fill="none" stroke="currentColor" stroke-width="2.5"></circle>
  ${holes().map(
    ([x, y], index) => svg`<circle cx=${x} cy=${y} r=${index === 9 ? 2.1 : 1.35}
      class=${index === 9 ? "held" : "hole"}></circle>`,
  )}`;

function holes(): [number, number][] {
  const found: [number, number][] = [];
  for (let row = -2; row <= 2; row++) {
    const across = 5 - Math.abs(row);
    for (let at = 0; at < across; at++) found.push([16 + (at - (across - 1) / 2) * 4.6, 16 + row * 4]);
  }
  return found;
}
