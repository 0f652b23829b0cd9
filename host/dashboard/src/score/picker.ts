// A button that lets a person choose a file.

import { html, type TemplateResult } from "lit-html";

export function filePicker(
  label: string,
  accept: string,
  hook: string,
  take: (file: File) => void,
): TemplateResult {
  const changed = (event: Event) => {
    const input = event.target as HTMLInputElement;
    const file = input.files?.[0];
    // The same file can be chosen again after it was changed.
    input.value = "";
    if (file) take(file);
  };
  return html`<label class="picker">${label}<input class="unseen" type="file" accept=${accept} data-test=${hook} @change=${changed} /></label>`;
}
