/** `__Host-` binds a cookie to this host, https and the whole path; browsers take it over https only. */
export function cookieName(name: string, secure: boolean): string {
  return `${secure ? '__Host-' : ''}postern-${name}`;
}
