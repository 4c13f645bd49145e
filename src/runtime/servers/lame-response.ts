/**
 * `Connection: close` in an HTTP/1 response of a lame duck, said so that nothing is cut by it, and taken back.
 *
 * 1. Only a response whose headers have not been sent is changed, and only one that would have kept its connection.
 * 2. A response that may come before the end of its request's body keeps the connection: closing it would reset what the client
 *    still sends, and the answer with it.
 */

import type { InternalRequest, InternalResponse } from './node-internals.ts';

const kLamed = Symbol('midflight.lamed');

type LamableResponse = InternalResponse & { [kLamed]?: true };

/** Says it as soon as the request has arrived whole; `mayClose` is asked again then. */
export function lameResponse(response: InternalResponse, mayClose: () => boolean): void {
  const { req } = response;
  if (req === undefined || !awaitsBody(req)) {
    closeAfter(response);
    return;
  }
  // Before the app's own listener, which may answer at once.
  req.prependOnceListener('end', () => {
    if (mayClose()) closeAfter(response);
  });
}

/** Takes it back, where it has not been sent. A client that asked for the close keeps it. */
export function unlameResponse(response: LamableResponse): void {
  if (response[kLamed] !== true || response.headersSent) return;
  delete response[kLamed];
  response.shouldKeepAlive = true;
}

function closeAfter(response: LamableResponse): void {
  if (response.headersSent || !response.shouldKeepAlive) return;
  response.shouldKeepAlive = false;
  response[kLamed] = true;
}

/** `complete` is false for every request that is being announced, so its headers are asked too. */
function awaitsBody({ complete, headers }: InternalRequest): boolean {
  const length = headers['content-length'];
  return (
    !complete && (headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0'))
  );
}
