import type { Socket } from 'zeromq';

/** Tells from ZeroMQ's own events whether both sockets of a port have a peer that shook hands. */
export class PeerWatch {
  #out = 0;
  #back = 0;
  #connected = false;
  #closed = false;

  constructor(out: Socket, back: Socket, onConnected: (connected: boolean) => void) {
    const look = (): void => {
      const connected = this.#out > 0 && this.#back > 0;
      if (this.#closed || connected === this.#connected) return;
      this.#connected = connected;
      onConnected(connected);
    };
    out.events.on('handshake', () => {
      this.#out++;
      look();
    });
    out.events.on('disconnect', () => {
      this.#out = Math.max(0, this.#out - 1);
      look();
    });
    back.events.on('handshake', () => {
      this.#back = 1;
      look();
    });
    back.events.on('disconnect', () => {
      this.#back = 0;
      look();
    });
  }

  get connected(): boolean {
    return this.#connected && !this.#closed;
  }

  close(): void {
    this.#closed = true;
  }
}
