/** The line of the app's code that is running. As text, since it is kept longer than the code may be. */

import { fileURLToPath } from 'node:url';
import { getCallSites } from 'node:util';

export interface CallingLine {
  readonly file: string;
  /** `file:line:column` */
  readonly text: string;
}

/** What packages put between the app and a socket fits into so many frames. */
const FRAMES_MAX = 25;
const own = fileURLToPath(new URL('../', import.meta.url));

/** The nearest line of the app's own code; where there is none on the stack, the nearest of a package; else null. */
export function captureCallingLine(): CallingLine | null {
  let ofPackage: CallingLine | null = null;
  for (const { scriptName, lineNumber, columnNumber } of getCallSites(FRAMES_MAX)) {
    const file = scriptName.startsWith('file:') ? fileURLToPath(scriptName) : scriptName;
    if (file === '' || file.startsWith('node:') || file.startsWith(own)) continue;
    const line = { file, text: `${file}:${lineNumber}:${columnNumber}` };
    if (!file.includes('/node_modules/')) return line;
    ofPackage ??= line;
  }
  return ofPackage;
}
