/** Whose signatures count for a registry: those that the app of the working directory trusts, else those beside the registry. */

import { lstatSync } from 'node:fs';
import path from 'node:path';
import { toHome } from '../../release/home.ts';
import type { Trust } from '../../release/trust.ts';
import type { Registry } from './registry.ts';

/** Null where no key is trusted. Errors: ERR_MIDFLIGHT_TRUST_UNSAFE, ERR_MIDFLIGHT_KEY_INVALID. */
export async function readRegistryTrust({ directory }: Registry): Promise<Trust | null> {
  const own = path.dirname(directory);
  const places = [toHome(process.cwd()).trust];
  if (path.basename(own) === '.midflight') places.push(path.join(own, 'trust'));
  for (const place of places) {
    // Who trusts nobody never loads what checks.
    if (lstatSync(place, { throwIfNoEntry: false }) === undefined) continue;
    const { readTrust } = await import('../../release/trust.ts');
    const trust = readTrust(place);
    if (trust !== null) return trust;
  }
  return null;
}
