/**
 * The streams of events that an EventSource has asked for: they have no end of their own, and their clients ask again by themselves
 * (HTML, 9.2.3). Ending one cuts nothing. What an app still writes to it then is dropped, since it would be an error.
 *
 * A stream that was asked for otherwise, as APIs of language models do, has an end that its client waits for.
 */

import type { Http2Stream } from './http2-sessions.ts';

/** The part of http.ServerResponse that is needed. */
export interface StreamedResponse {
  readonly req?: { readonly method?: string; readonly headers: Readonly<Record<string, string | undefined>> };
  /** What has been sent; Node keeps it as text, also where `getHeader` does not know it. */
  readonly _header?: string | null;
  write(...values: unknown[]): boolean;
  end(...values: unknown[]): unknown;
}

export function isEventStream({ req, _header }: StreamedResponse): boolean {
  return (
    req !== undefined &&
    isEventSource(req.method, req.headers['accept']) &&
    /^content-type: *text\/event-stream/im.test(_header ?? '')
  );
}

export function isHttp2EventStream({ sentHeaders }: Http2Stream): boolean {
  return String(sentHeaders?.['content-type']).startsWith('text/event-stream');
}

/** True of what an EventSource asks. */
export function isEventSource(method: string | undefined, accept: string | undefined): boolean {
  return method === 'GET' && accept?.includes('text/event-stream') === true;
}

/** Ends it with the bytes that say so. */
export function endEventStream(response: Pick<StreamedResponse, 'write' | 'end'>): void {
  response.end();
  response.write = () => false;
  response.end = () => response;
}
