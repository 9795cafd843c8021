/** What somebody may do; each includes the former. */
export const ROLES = ['editor', 'publisher', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Stands for every brand, those too that come later. */
export const EVERY_BRAND = '*';

/** A role for one brand, or for all (`*`). */
export interface RoleOfBrand {
  brand: string;
  role: Role;
}

/**
 * True if one of the roles is enough. Words belong to all brands, so what is about them takes a role for all.
 * `brand` null: a role for any brand will do.
 */
export function mayDo(roles: readonly RoleOfBrand[], needed: Role, brand: string | null): boolean {
  return roles.some(
    (one) =>
      ROLES.indexOf(one.role) >= ROLES.indexOf(needed) &&
      (brand === null || one.brand === EVERY_BRAND || one.brand === brand),
  );
}

export function isInCharge(roles: readonly RoleOfBrand[]): boolean {
  return mayDo(roles, 'admin', EVERY_BRAND);
}
