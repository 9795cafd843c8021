import ipaddr from 'ipaddr.js';

/**
 * One key per network: IPv4-mapped folded to IPv4, IPv6 by its /64, which is what one household has. What is no address
 * is one network too: whoever gets such words past a proxy must not get a limit of their own with each of them.
 */
export function canonicalIp(ip: string): string {
  // Some proxies forward the port as well, and that is another one for each connection; a zone (RFC 4007 11) is ours.
  const bare = ip
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
    .replace(/%.*$/, '');
  if (!ipaddr.isValid(bare)) return 'unknown';
  const address = ipaddr.process(bare);
  if (address.kind() === 'ipv4') return address.toString();
  const network = (address as ipaddr.IPv6).parts.slice(0, 4);
  return `${network.map((part) => part.toString(16)).join(':')}::/64`;
}
