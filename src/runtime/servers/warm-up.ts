/**
 * One request to a server of our own, so that what Node compiles for the first request of a process is compiled before the
 * process takes over: some 8 ms, which the first client would wait for.
 */

import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';

const TIMEOUT_MS = 1_000;

/** Ends after a second at the latest. Does nothing where somebody counts requests. */
export async function warmUpHttp(): Promise<void> {
  if (diagnostics.hasSubscribers('http.server.request.start')) return;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const server = http.createServer((_, response) =>
    response.setHeader('content-type', 'text/plain').end('\n'),
  );
  try {
    await once(server.listen(0, '127.0.0.1'), 'listening', { signal });
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.end('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n').resume();
    await once(client, 'close', { signal });
  } catch {
    // Then the first client waits; nothing depends on this.
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
