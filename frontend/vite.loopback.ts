import { createServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import type { Plugin } from 'vite';

const IPV6_LOOPBACK = '::1';

/** This machine has no IPv6 loopback: the IPv4 address alone is all there is to answer on. */
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

/**
 * Hands the connections of `[::1]:<port>` to `http`, which listens on 127.0.0.1 at the same port.
 *
 * `localhost` means ::1 to some clients and 127.0.0.1 to others, and one listener can only have one address.
 * Resolves to the second listener, or to null on a machine without IPv6. Rejects when the port is taken.
 */
export function answerOnIpv6(http: HttpServer, port: number): Promise<TcpServer | null> {
  return new Promise((resolve, reject) => {
    const twin = createServer((socket) => http.emit('connection', socket));
    http.once('close', () => twin.close());
    twin.once('error', (error: NodeJS.ErrnoException) => {
      if (NO_IPV6.has(error.code ?? '')) resolve(null);
      else reject(error);
    });
    twin.listen(port, IPV6_LOOPBACK, () => resolve(twin));
  });
}

/** Vite plugin: the development and preview servers answer on both loopback addresses, and on no other. */
export function bothLoopbacks(): Plugin {
  const attach = (http: HttpServer): void => {
    http.once('listening', () => {
      const { port } = http.address() as AddressInfo;
      answerOnIpv6(http, port).catch((error: unknown) => {
        console.error(`Port ${port} is taken on [${IPV6_LOOPBACK}]: ${String(error)}`);
        process.exit(1);
      });
    });
  };
  return {
    name: 'both-loopbacks',
    configureServer: (server) => {
      if (server.httpServer) attach(server.httpServer as HttpServer);
    },
    configurePreviewServer: (server) => attach(server.httpServer as HttpServer),
  };
}
