/** What a service manager, such as systemd, passes to `midflight start` by its environment. It is for that process alone. */

export interface ServiceEnvironment {
  /** Where notifications go: sd_notify(3). A path, or `@name` in the abstract namespace. */
  readonly notifySocket: string | null;
  /** Longest time between two signs of life; null where none is wanted. */
  readonly watchdogMs: number | null;
  /** The sockets that are passed in: sd_listen_fds(3). */
  readonly listenFds: string | null;
  readonly listenPid: string | null;
  readonly listenFdNames: string | null;
}

/** Takes them out, so that no process that is started from here on believes them to be its own. */
export function takeServiceEnvironment(environment: NodeJS.ProcessEnv): ServiceEnvironment {
  const take = (name: string): string | null => {
    const value = environment[name];
    delete environment[name];
    return value === undefined || value === '' ? null : value;
  };
  const watchdogUsec = Number(take('WATCHDOG_USEC') ?? 0);
  // Not looked at: behind a wrapper it names the wrapper, which gives no sign of life, and MAINPID moves the watch to us.
  take('WATCHDOG_PID');
  return {
    notifySocket: take('NOTIFY_SOCKET'),
    watchdogMs: watchdogUsec > 0 ? watchdogUsec / 1_000 : null,
    listenFds: take('LISTEN_FDS'),
    listenPid: take('LISTEN_PID'),
    listenFdNames: take('LISTEN_FDNAMES'),
  };
}
