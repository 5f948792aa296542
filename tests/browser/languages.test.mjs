// The catalogues of the door display: every language has every sentence, with the same values and the forms that its numbers need.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { LANGUAGES } from "../../src/console/language.js";

const CONSOLE = new URL("../../src/console/", import.meta.url);
const SOURCES = readdirSync(CONSOLE).filter((name) => name.endsWith(".js")).map((name) => readFileSync(new URL(name, CONSOLE), "utf8"));
const NAMES = readdirSync(new URL("languages/", CONSOLE)).map((name) => name.replace(/\.js$/, ""));
const HARDLY_EVER = 200; // numbers beyond this appear nowhere, so their forms are not needed

const load = async (name) => [name, (await import(new URL(`languages/${name}.js`, CONSOLE))).default];
const catalogues = Object.fromEntries(await Promise.all(NAMES.map(load)));
const forms = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry));
const values = (sentence) => [...sentence.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("the nine languages are there, and the page knows them", () => {
  assert.deepEqual(NAMES.sort(), ["ar", "de", "en", "es", "fr", "he", "ja", "nl", "pl"]);
  assert.deepEqual(LANGUAGES, NAMES);
});

for (const name of NAMES) {
  test(`${name} has every sentence, with its values`, () => {
    const [catalogue, english] = [catalogues[name], catalogues.en];
    assert.deepEqual(Object.keys(catalogue), Object.keys(english));
    for (const [key, entry] of Object.entries(catalogue)) {
      const expected = values(forms(english[key]).at(-1));
      for (const sentence of forms(entry)) {
        assert.ok(sentence.trim().length > 0, key);
        // A form for one or two may have the number in words.
        if (typeof entry === "string" || sentence === entry.other) assert.deepEqual(values(sentence), expected, `${key}: ${sentence}`);
        else assert.ok(values(sentence).every((value) => expected.includes(value)), `${key}: ${sentence}`);
      }
    }
  });

  test(`${name} has a form for every number`, () => {
    const rules = new Intl.PluralRules(name);
    const needed = new Set(Array.from({ length: HARDLY_EVER }, (_, number) => rules.select(number)));
    for (const [key, entry] of Object.entries(catalogues[name])) {
      if (typeof entry === "string") continue;
      assert.deepEqual([...needed].filter((form) => !(form in entry)), [], key);
      assert.ok("other" in entry, key);
    }
  });
}

test("every sentence is used, and every sentence that is used exists", () => {
  const all = SOURCES.join("\n");
  const used = new Set([...all.matchAll(/\bmessage\("(\w+)"/g)].map(([, key]) => key));
  for (const key of used) assert.ok(key in catalogues.en, key);
  // The states, and what follows from a problem's kind, are chosen by name.
  for (const key of Object.keys(catalogues.en)) assert.ok(new RegExp(`"${key}"|\\b${key}: \\[`).test(all), `nothing uses ${key}`);
});
