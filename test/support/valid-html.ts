import { type ConfigData, HtmlValidate, type RuleConfig, StaticConfigLoader } from 'html-validate';

/** What is good in a page and cannot be in a mail. */
const MAIL_RULES: RuleConfig = {
  // Outlook on Windows reads nothing else: no CSS box, no max-width.
  'no-conditional-comment': 'off',
  // Programs that drop <style> must still show a whole mail.
  'no-inline-style': 'off',
  // Attributes of tables: what programs without CSS take width and room from.
  'no-deprecated-attr': 'off',
  // The title is the subject, which the words bound.
  'long-title': 'off',
};

/** What pages do on purpose, and HTML allows. */
const PAGE_RULES: RuleConfig = {
  // Matters of taste, which a browser never sees.
  'doctype-style': 'off',
  'no-trailing-whitespace': 'off',
  'void-style': 'off',
  // A button of a form sends it: that is what ours are for.
  'no-implicit-button-type': 'off',
  // A list may have a name (WAI-ARIA 1.2, 6.6: naming is prohibited for other roles only).
  'aria-label-misuse': ['error', { allowAnyNamable: true }],
  // The title names the ticket's subject, which somebody wrote; so are the tables of a message.
  'long-title': 'off',
  'prefer-tbody': 'off',
};

const validators = {
  mail: validator(MAIL_RULES),
  page: validator(PAGE_RULES),
};

/** What html-validate's recommended rules find wrong with a document, each with its place; none means valid. */
export function htmlFaults(html: string, kind: keyof typeof validators): string[] {
  return validators[kind]
    .validateStringSync(html)
    .results.flatMap(({ messages }) =>
      messages.map(({ ruleId, message, line, column }) => `${line}:${column} ${ruleId}: ${message}`),
    );
}

function validator(rules: RuleConfig): HtmlValidate {
  const config: ConfigData = { root: true, extends: ['html-validate:recommended'], elements: ['html5'], rules };
  return new HtmlValidate(new StaticConfigLoader(config));
}
