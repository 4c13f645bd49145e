/** Text of others (names of files, messages of a compiler, what a build prints) as it may be shown at a terminal: it colours, and does
 *  nothing else. Whoever pushes a file whose name moves the cursor would write the plan in which it is looked at. */

/** Bold to underlined, the colours, and their ends: nothing that hides. Black may be what is behind. */
const COLOURS = /^(?:[0-4]?|2[2-4]|3[1-79]|9[0-7])$/;
const CONTROLS =
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /\u001B\[([\d;]*)m|\r(?!\n)|[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/** Keeps lines, tabs and colours; every other control character is written out. */
export function toVisible(text: string): string {
  return text.replaceAll(CONTROLS, (found: string, parameters: string | undefined) => {
    const isColour =
      parameters !== undefined && parameters.split(';').every((parameter) => COLOURS.test(parameter));
    return isColour ? found : toEscape(found.charCodeAt(0)) + found.slice(1);
  });
}

function toEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
