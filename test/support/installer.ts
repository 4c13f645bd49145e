/** A package manager that needs no network: as `bun`, for who has a `bun.lock`. */

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';

export const installer = `#!/bin/sh
mkdir -p node_modules/dep/bin node_modules/.bin
echo 'export const a = 1;' > node_modules/dep/index.js
ln -s ../dep/index.js node_modules/.bin/dep
`;

/** First on the path, from a folder within `directory`, until the test ends. */
export function putInstaller(t: TestContext, directory: string): void {
  const bin = path.join(directory, 'bin');
  mkdirSync(bin);
  writeFileSync(path.join(bin, 'bun'), installer, { mode: 0o755 });
  const before = process.env['PATH'];
  process.env['PATH'] = `${bin}${path.delimiter}${before}`;
  t.after(() => (process.env['PATH'] = before));
}
