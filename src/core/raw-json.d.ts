/** What Node has and TypeScript's library does not declare yet (ECMAScript proposal "JSON.parse source text access"). */
interface JSON {
  /** A value that JSON.stringify writes as `text`. @throws SyntaxError when it is no number, string or literal. */
  rawJSON(text: string): object;
}
