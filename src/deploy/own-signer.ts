/** A supervisor that signs what it has built itself, as `start --sign` asks for: its machine is a builder then. */

import type { Home } from '../release/home.ts';
import { readSigningKey, type SigningKey } from '../release/signing-key.ts';
import { findAccepted } from './accepted.ts';
import type { Signer } from './admission.ts';
import type { History } from './history.ts';
import { signOnDisk } from './sign-release.ts';

/** The key files are read each time, and nothing of them is kept. Null without any. */
export function createOwnSigner(home: Home, history: History, keyFiles: readonly string[]): Signer | null {
  if (keyFiles.length === 0) return null;
  const readKeys = (): SigningKey[] => keyFiles.map((file) => readSigningKey(file));
  return {
    get ids() {
      return readKeys().map(({ id }) => id);
    },
    async sign(release, action) {
      const highestCounter = findAccepted(history, home.auditLog)?.counter ?? 0;
      return signOnDisk({ home, release, action, keys: readKeys(), highestCounter });
    },
  };
}
