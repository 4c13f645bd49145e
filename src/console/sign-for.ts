/** The keys of a command line sign what its supervisor has built: the supervisor says what there is to sign, and never has a key. */

import { z } from 'zod';
import { signOnDisk } from '../deploy/sign-release.ts';
import type { Home } from '../release/home.ts';
import type { SigningKey } from '../release/signing-key.ts';
import { callControl } from './control-client.ts';

/** What a supervisor asks for. */
export const wantedSchema = z.object({
  release: z.string(),
  action: z.enum(['deploy', 'rollback']),
  highestCounter: z.number().int(),
});

export type Wanted = z.output<typeof wantedSchema>;

/** Signs and sends it. Where it can't be signed, the supervisor is told so, and this rejects with the reason. */
export async function signFor(home: Home, data: unknown, keys: readonly SigningKey[]): Promise<void> {
  const wanted = wantedSchema.parse(data);
  const { release } = wanted;
  const send = async (envelope: unknown): Promise<void> =>
    void (await callControl(home, { method: 'POST', path: '/statement', body: { release, envelope } }));
  try {
    await send(signOnDisk({ home, keys, ...wanted }));
  } catch (error) {
    await send(null);
    throw error;
  }
}
