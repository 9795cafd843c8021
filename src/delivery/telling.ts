import type { TemplateCatalogue } from '../templates/catalogue.js';
import type { TemplateKey } from '../templates/values.js';
import type { Delivery, Update } from './delivery.entity.js';

/** In which words a mail tells of these: one in its own, several in a summary. */
export function templateFor(updates: readonly Update[]): TemplateKey {
  return updates.length === 1 ? updates[0]!.templateKey : 'ticket-summary';
}

/** When the newest of them happened, ms since 1970. */
export function newestOf(updates: readonly Update[]): number {
  return Math.max(...updates.map(({ occurredAt }) => occurredAt));
}

/**
 * The delivery as it is when it tells only of those of its updates that still stand: a summary of one is that one's own
 * mail. For the first try only and stored before it, because every try must have the same bytes.
 * @param updates some of the delivery's, at least one, in its order
 */
export function tellOnly(
  delivery: Delivery,
  updates: Update[],
  catalogue: Pick<TemplateCatalogue, 'resolveLocale' | 'revision'>,
): Delivery {
  if (updates.length === delivery.inputs.updates.length) return delivery;
  const templateKey = templateFor(updates);
  const { locale, reason } = catalogue.resolveLocale(delivery.locale, templateKey);
  return {
    ...delivery,
    templateKey,
    locale,
    localeReason: locale === delivery.locale ? delivery.localeReason : reason,
    templateRevision: catalogue.revision(templateKey, locale),
    inputs: { ...delivery.inputs, updates, occurredAt: newestOf(updates) },
  };
}
