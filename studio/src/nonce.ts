/** What the policy of this page allows style sheets by that are made here: the editor's, and those of previews. */
export const styleNonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.nonce ?? '';
