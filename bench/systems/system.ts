/** One way to put new code into service, started around an app that is the same for all. */

import type { TestApp } from '../../test/support/app.ts';

export interface Settings {
  readonly workers: number;
  /** How long old processes may take to end what is open: the same for all that know such a limit. */
  readonly drainMs: number;
}

export interface System {
  readonly name: string;
  /** Debian packages that it needs. */
  readonly packages?: readonly string[];
  /** In the app's directory, where it is not `server.ts` and the system has to be told. */
  readonly entry?: string;
  /** Written into the app's directory beside the service. */
  readonly files?: Readonly<Record<string, string>>;
  /** Resolves when it serves, or will. */
  start(app: TestApp, settings: Settings): Promise<RunningSystem>;
}

export interface RunningSystem {
  /** Puts the files that the app's directory has now into service, by new processes where the system has these; resolves with
   *  the exit code of its command, which need not mean that all is done. */
  deploy(version: string): Promise<number | null>;
  /** The process without which nobody could deploy. */
  supervisorPid(): Promise<number>;
  /** Asks for it as a user would, and has it tell that the app is there: the process that answers, or null. Only where one could
   *  come back. */
  findSupervisor?(): Promise<number | null>;
  stop(): Promise<void>;
}
