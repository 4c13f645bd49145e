/** Where the configuration of an app is. */

import { existsSync } from 'node:fs';
import path from 'node:path';

const fileNames = [
  'midflight.config.ts',
  'midflight.config.js',
  'midflight.config.mjs',
  'midflight.config.json',
];

/** The name of the file in `directory`; undefined where there is none. */
export function findConfig(directory: string): string | undefined {
  return fileNames.find((candidate) => existsSync(path.join(directory, candidate)));
}
