/** Another count of workers for the crew that serves. */

import { MidflightError } from '../errors.ts';
import type { Crew } from './crew.ts';
import { handConnections } from './hand-connections.ts';
import type { PathParts } from './path-parts.ts';

/** As many workers as `count` says, or as the release asks for. All that are missing start, or none stays. */
export async function scale(parts: PathParts, count: number | null): Promise<number> {
  const { roster, launcher } = parts;
  const crew = roster.requireCurrent();
  if (crew.release.manifest.kind === 'command') throw new MidflightError('ERR_MIDFLIGHT_SCALE_REFUSED', []);
  const before = { scaledTo: roster.scaledTo, wanted: crew.wanted };
  roster.scaleTo(count);
  crew.wanted = count ?? crew.release.manifest.workers;
  try {
    await launcher.fill(crew);
  } catch (error) {
    roster.scaleTo(before.scaledTo);
    crew.wanted = before.wanted;
    throw error;
  } finally {
    await shrink(parts, crew);
  }
  return crew.wanted;
}

/** Those that are too many give what they have to the others, and leave. One of the others may have ended by then. */
export async function shrink({ env, roster, states, replacements }: PathParts, crew: Crew): Promise<void> {
  const members = [...crew.members];
  const [to, surplus] = [members.slice(0, crew.wanted), members.slice(crew.wanted)];
  const { drainTimeoutMs, upgraded } = crew.release.manifest.settings;
  await handConnections(env, { from: surplus, to, timeoutMs: drainTimeoutMs });
  void states.noteAbandoned(surplus);
  for (const member of surplus) roster.leaving.end(member, drainTimeoutMs, upgraded);
  replacements.makeUp(crew);
}
