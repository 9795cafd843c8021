import { In, type EntityManager } from 'typeorm';
import type { Transaction } from '../platform/database/database.js';
import { LanguageChoice } from './visit.entity.js';

/** Keeps what the reader of an address chose, in place of an earlier choice: the last that commits is the one that holds. */
export async function chooseLanguage(
  tx: Transaction,
  emailKey: string,
  { locale, now }: { locale: string; now: number },
): Promise<void> {
  await tx.upsert(LanguageChoice, { emailKey, locale, chosenAt: now }, ['emailKey']);
}

/** The tags that the readers of these addresses chose, by address; who chose none is not in it. */
export async function chosenLanguages(
  manager: EntityManager,
  emailKeys: readonly string[],
): Promise<Map<string, string>> {
  if (emailKeys.length === 0) return new Map();
  const choices = await manager.findBy(LanguageChoice, { emailKey: In([...new Set(emailKeys)]) });
  return new Map(choices.map(({ emailKey, locale }) => [emailKey, locale]));
}
