/** The terminal that `midflight start` was started at, if it was. */

import { isatty } from 'node:tty';

export interface Terminal {
  isThere(): boolean;
  /** There was one, and it has been closed: the kernel gives an error for each of its descriptors then. */
  isGone(): boolean;
}

/** Looks now, as a terminal can't be told from a file any more once it is gone. */
export function findTerminal(descriptors: readonly number[] = [0, 1, 2]): Terminal {
  const terminals = descriptors.filter((fd) => isatty(fd));
  const isThere = (): boolean => terminals.some((fd) => isatty(fd));
  return { isThere, isGone: () => terminals.length > 0 && !isThere() };
}
