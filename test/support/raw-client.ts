/** A client of HTTP/1.1 by hand: it says exactly what it is told to, when it is told to, on one connection. */

import { once } from 'node:events';
import net from 'node:net';

/** One HTTP/1.1 connection, written to and read from by hand. It never connects again. */
export class RawClient {
  readonly socket: net.Socket;
  #text = '';
  /** An answer that has begun ends here. */
  #end = 0;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (this.#text += chunk));
  }

  static async connect(port: number, path?: string): Promise<RawClient> {
    const socket = path === undefined ? net.connect(port, '127.0.0.1') : net.connect(path);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** The next whole answer. Rejects when the connection ends before. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const answer = this.#take();
      if (answer !== null) return answer;
      if (this.socket.readableEnded || this.socket.destroyed) throw new Error(`cut off: ${this.#text}`);
      const ended = new AbortController();
      const { signal } = ended;
      await Promise.race([
        once(this.socket, 'data', { signal }),
        once(this.socket, 'end', { signal }),
        once(this.socket, 'close', { signal }),
      ]);
      ended.abort();
    }
  }

  async get(path: string): Promise<RawAnswer> {
    this.write(toGet(path));
    return this.answer();
  }

  /** Asks again until that process answers. */
  async getFrom(pid: number): Promise<RawAnswer> {
    for (;;) {
      const answer = await this.get('/');
      if (answer.pid === pid) return answer;
    }
  }

  #take(): RawAnswer | null {
    if (this.#text.length < this.#end) return null;
    const headEnd = this.#text.indexOf('\r\n\r\n');
    if (headEnd === -1) return null;
    const head = this.#text.slice(0, headEnd);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    this.#end = headEnd + 4 + length;
    if (this.#text.length < this.#end) return null;
    const body = this.#text.slice(headEnd + 4, this.#end);
    this.#text = this.#text.slice(this.#end);
    this.#end = 0;
    const pid = Number(/^x-pid: (\d+)/im.exec(head)?.[1]);
    return { status: Number(head.split(' ')[1]), pid, isClosing: /^connection: close/im.test(head), body };
  }
}

export interface RawAnswer {
  readonly status: number;
  readonly pid: number;
  readonly isClosing: boolean;
  readonly body: string;
}

export function toGet(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
}
