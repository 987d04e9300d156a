import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { AlreadyRunningError, FsRefusal, UnreadableSourceError } from '../core/errors.ts';
import { LineSplitter } from './line-splitter.ts';
import {
  type ControlReply,
  type ControlRequest,
  errorDocument,
  MAX_CONNECTIONS,
  MAX_OPEN_REQUESTS,
  MAX_REQUEST_BYTES,
  parseRequest,
} from './protocol.ts';

/** What a method may use: `signal` fires when the client goes away or the server closes. */
export interface MethodContext {
  progress(value: unknown): void;
  readonly signal: AbortSignal;
}

export type ControlMethod = (params: unknown, context: MethodContext) => Promise<unknown>;

export interface ControlServerOptions {
  /** At most 107 bytes: the kernel's sockaddr_un. */
  readonly socketPath: string;
  readonly methods: Readonly<Record<string, ControlMethod>>;
  /** The user at the other end of a connected socket, by its descriptor; throws when the kernel doesn't say. */
  readonly peerUserId: (fd: number) => number;
}

const MAX_SOCKET_PATH_BYTES = 107;

/** Whether somebody accepts connections there. */
function isListening(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/**
 * Answers the command line's questions about a running mount. Only the owner may connect (mode 0600, and whoever
 * connects is asked for), and root. A client can't harm it: requests, their number and connections are bounded, and a bad line ends that connection only.
 */
export class ControlServer implements AsyncDisposable {
  readonly socketPath: string;
  readonly #server: Server;
  readonly #methods: Readonly<Record<string, ControlMethod>>;
  readonly #sockets = new Set<Socket>();

  readonly #peerUserId: (fd: number) => number;

  private constructor({ socketPath, methods, peerUserId }: ControlServerOptions) {
    this.#peerUserId = peerUserId;
    this.socketPath = socketPath;
    this.#methods = methods;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * Replaces a socket that nobody listens on.
   * @throws AlreadyRunningError when somebody does; UnreadableSourceError when the socket can't be made.
   */
  static async listen(options: ControlServerOptions): Promise<ControlServer> {
    const { socketPath } = options;
    if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH_BYTES)
      throw new UnreadableSourceError(socketPath, 'is too long for a socket', {
        advice: 'set XDG_RUNTIME_DIR to a shorter path',
      });
    if (await isListening(socketPath))
      throw new AlreadyRunningError(`another PlateFS answers at ${socketPath}`, {
        advice: "see 'platefs status'",
      });
    rmSync(socketPath, { force: true });
    const control = new ControlServer(options);
    await new Promise<void>((resolve, reject) => {
      control.#server.once('error', (cause) =>
        reject(new UnreadableSourceError(socketPath, 'the control socket cannot be made', { cause })),
      );
      // bind(2) runs inside listen(), so that the socket never exists with wider rights.
      const umask = process.umask(0o177);
      try {
        control.#server.listen(socketPath, resolve);
      } finally {
        process.umask(umask);
      }
    });
    return control;
  }

  /** Stops listening, ends running methods by their signal and removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Whether the user at the other end is this one, or root. */
  #isOwner(socket: Socket): boolean {
    const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } };
    try {
      return [0, process.geteuid?.()].includes(this.#peerUserId(handle?.fd ?? -1));
    } catch {
      // Whoever can't be told is nobody.
      return false;
    }
  }

  #serve(socket: Socket): void {
    if (!this.#isOwner(socket)) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    const gone = new AbortController();
    const open = new Set<number>();
    const splitter = new LineSplitter(MAX_REQUEST_BYTES);
    const sendLine = (line: string): void => {
      if (!socket.destroyed && socket.writable) socket.write(`${line}\n`);
    };
    const send = (reply: ControlReply): void => sendLine(JSON.stringify(reply));
    const refuse = (id: number, fault: string): void => {
      send({ id, error: errorDocument(new FsRefusal('invalid-argument', `bad control request: ${fault}`)) });
    };
    socket.on('close', () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    // A client that dies mid-reply is its own affair; 'close' follows.
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      const lines = splitter.push(chunk);
      if (!lines) {
        refuse(0, `longer than ${MAX_REQUEST_BYTES} bytes`);
        socket.destroySoon();
        return;
      }
      for (const line of lines) {
        const request = parseRequest(line);
        if ('fault' in request) {
          refuse(0, request.fault);
          socket.destroySoon();
          return;
        }
        if (open.has(request.id)) refuse(request.id, `id ${request.id} is in use`);
        else if (open.size >= MAX_OPEN_REQUESTS) refuse(request.id, 'too many requests at once');
        else {
          open.add(request.id);
          const progress = (value: unknown): void => {
            // A client that does not read gets the newest progress it has room for.
            if (!socket.writableNeedDrain) send({ id: request.id, progress: value });
          };
          void this.#answer(request, { progress, signal: gone.signal }).then((line) => {
            open.delete(request.id);
            sendLine(line);
          });
        }
      }
    });
  }

  async #answer({ id, method, params }: ControlRequest, context: MethodContext): Promise<string> {
    try {
      const run = Object.hasOwn(this.#methods, method) ? this.#methods[method] : undefined;
      if (!run) throw new FsRefusal('not-supported', `this mount knows no '${method}'`);
      const result = await run(params, context);
      return JSON.stringify({ id, result: result ?? null });
    } catch (error) {
      return JSON.stringify({ id, error: errorDocument(error) });
    }
  }
}
