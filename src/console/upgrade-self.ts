/** The supervisor steps down for that of another Midflight, which goes on with the same workers. */

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { MidflightError } from '../errors.ts';
import type { Deployer } from '../deploy/deploy.ts';
import type { UpgradeOutcome } from '../protocol/keeper-messages.ts';
import { negotiateAs, type Protocols } from '../protocol/versions.ts';
import type { Keeper } from '../supervisor/keeper-client.ts';
import type { Workers } from '../supervisor/workers.ts';
import { toSupervisorFile } from './start-keeper.ts';

/** A main file that only prints what it speaks needs no longer. */
const PROTOCOLS_TIMEOUT_MS = 10_000;

/** What `supervisor.js --protocols` prints. */
export interface Installation {
  readonly version: string;
  readonly protocols: Protocols;
}

export interface UpgradeAnswer {
  /** By which the outcome is known, in the status of whoever comes up. */
  readonly token: string;
  readonly version: string;
  /** That of the supervisor that steps down. */
  readonly before: string;
}

export interface Upgrade {
  /** Resolves when all that can be known before has been checked; the supervisor then steps down.
   *  Errors: ERR_MIDFLIGHT_DEPLOY_LOCKED, ERR_MIDFLIGHT_PROTOCOL_MISMATCH, ERR_MIDFLIGHT_UPGRADE_FAILED. */
  begin(): Promise<UpgradeAnswer>;
  /** What was found is settled, so the keeper can say how the upgrade ended that brought this supervisor. */
  settle(): Promise<void>;
  outcome(): UpgradeOutcome | null;
}

export interface UpgradeOptions {
  readonly keeper: Keeper;
  readonly deployer: Deployer;
  readonly workers: Workers;
  /** Of this Midflight. */
  readonly version: string;
  onReplaced(): void;
}

export function createUpgrade({
  keeper,
  deployer,
  workers,
  version: before,
  onReplaced,
}: UpgradeOptions): Upgrade {
  let outcome: UpgradeOutcome | null = null;

  async function check(file: string): Promise<Installation> {
    const installation = await askInstallation(file);
    const who = `Midflight ${installation.version}`;
    negotiateAs('keeper', who, installation.protocols.keeper, keeper.inventory.keeper.protocol);
    for (const range of workers.protocols()) negotiateAs('worker', who, installation.protocols.worker, range);
    return installation;
  }

  return {
    outcome: () => outcome,
    async settle() {
      outcome = await keeper.ready();
    },
    async begin() {
      const giveBack = await deployer.rest();
      try {
        const file = toSupervisorFile(keeper.inventory.binFile);
        const { version } = await check(file);
        const token = randomUUID();
        setImmediate(() => void keeper.replace({ file, token }).then(onReplaced, giveBack));
        return { token, version, before };
      } catch (error) {
        giveBack();
        throw error;
      }
    },
  };
}

async function askInstallation(file: string): Promise<Installation> {
  try {
    const options = { timeout: PROTOCOLS_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
    const { stdout } = await promisify(execFile)(process.execPath, [file, '--protocols'], options);
    return JSON.parse(stdout) as Installation;
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: string };
    throw new MidflightError('ERR_MIDFLIGHT_UPGRADE_FAILED', [`${message}\n${stderr ?? ''}`.trimEnd()], {
      cause: error,
    });
  }
}
