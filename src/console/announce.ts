/** Tells the service manager what becomes of the app, and the log what the service manager is not told. */

import type { Deployer } from '../deploy/deploy.ts';
import type { ServiceEnvironment } from '../supervisor/service-environment.ts';
import {
  createServiceNotifier,
  silentNotifier,
  type ServiceNotifier,
} from '../supervisor/service-notifier.ts';
import type { Workers } from '../supervisor/workers.ts';

/** The first process of a container, or of a machine. What it has started is known to whoever watches it. */
const INIT_PID = 1;

export interface NotifierOptions {
  readonly service: ServiceEnvironment;
  readonly log: (message: string) => void;
}

/** One that does nothing where no service manager wants to know. */
export function createNotifier({ service, log }: NotifierOptions): ServiceNotifier {
  const { notifySocket, watchdogMs } = service;
  if (notifySocket === null) return silentNotifier;
  // In a container our pid means nothing to the service manager; a direct child it knows.
  const mainPid = process.ppid === INIT_PID ? null : process.pid;
  return createServiceNotifier({
    socket: notifySocket,
    watchdogMs,
    mainPid,
    log,
    checkAlive: async () => {},
  });
}

/** Sends what is done as the status, from now on; returns what says how it is at the moment. */
export function announce(notifier: ServiceNotifier, deployer: Deployer, workers: Workers): () => string {
  const toStatus = (): string => {
    const id = workers.currentRelease()?.manifest.id;
    return id === undefined ? 'no release serves yet' : `release ${id} serves`;
  };
  deployer.events.on('progress', ({ step, message }) => {
    const [firstLine = ''] = message.split('\n');
    notifier.status(`${toStatus()}; ${step}${firstLine === '' ? '' : `: ${firstLine}`}`);
  });
  return toStatus;
}
