/** What versions have left behind that have ended, such as a promise of an answer: its errors end no process either. */

import { containErrors } from '../runtime/faults.ts';
import { currentOrigin, type Origin } from '../runtime/origin.ts';

/** Whose it is, in words. */
const owners = new WeakMap<Origin, string>();
let isContained = false;

/** From now on errors that one of these has caused are told, and nothing more. */
export function containLeftBehind(origins: Iterable<Origin>, label: string): void {
  for (const origin of origins) owners.set(origin, label);
  if (isContained) return;
  isContained = true;
  // For good: nobody can know when the last of it has ended.
  containErrors((error) => {
    const origin = currentOrigin();
    const owner = origin === undefined ? undefined : owners.get(origin);
    if (owner === undefined) return false;
    console.error(`Plugin ${owner}, which has ended: an error that nobody has caught:`, error);
    return true;
  });
}
