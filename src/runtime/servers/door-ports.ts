/** The loopback ports of the doors that are open in this process. What comes through one is a check, and no service. */

interface Connected {
  readonly socket?: { readonly localPort?: number | undefined };
}

const ports = new Set<number>();

/** Until what is returned is called. */
export function noteDoor(port: number): () => void {
  ports.add(port);
  return () => void ports.delete(port);
}

/** Of a request, or a session of HTTP/2. Looks at nothing while no door is open. */
export function isThroughDoor(connected: Connected | undefined): boolean {
  if (ports.size === 0) return false;
  const port = connected?.socket?.localPort;
  return port !== undefined && ports.has(port);
}
