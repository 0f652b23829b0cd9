// Sets CSS custom properties on an element. A `style` attribute would be refused by the page's content security policy;
// this way is not.

import { nothing } from "lit-html";
import { Directive, directive, type ElementPart, type PartInfo, PartType } from "lit-html/directive.js";

class Vars extends Directive {
  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error("vars() stands on an element");
  }

  render(_values: Record<string, string | number>): typeof nothing {
    return nothing;
  }

  override update(part: ElementPart, [values]: [Record<string, string | number>]): typeof nothing {
    const { style } = part.element as HTMLElement;
    for (const [name, value] of Object.entries(values)) style.setProperty(`--${name}`, String(value));
    return nothing;
  }
}

export const vars = directive(Vars);
