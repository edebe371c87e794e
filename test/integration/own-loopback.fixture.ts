/**
 * `host:0` on a loopback address that no other test process uses: for servers that return to the port they had, which
 * another test could take meanwhile.
 */
export const ownLoopback = `127.${1 + ((process.pid >> 8) % 254)}.${process.pid % 256}.1:0`;
