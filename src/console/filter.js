// The form of a filter, whose controls have the names of the API's parameters: filled from the page's address, kept there, and turned into
// the query of a request. Sends no requests.

const TIMES = ["since", "until"]; // in this device's zone; the API takes UTC

// Fills the controls from the page's address.
export function fill(controls) {
  const kept = new URLSearchParams(location.search);
  for (const [name, control] of Object.entries(controls)) control.value = kept.get(name) ?? control.value;
}

// Keeps the filled controls in the page's address.
export function keepInAddress(controls) {
  const filled = Object.entries(controls).filter(([, control]) => control.value);
  const query = new URLSearchParams(filled.map(([name, control]) => [name, control.value]));
  history.replaceState(null, "", filled.length ? `?${query}` : location.pathname);
}

// The parameters of a request.
export function toQuery(controls) {
  const query = new URLSearchParams();
  for (const [name, control] of Object.entries(controls)) {
    const value = control.value.trim();
    if (value) query.set(name, TIMES.includes(name) ? new Date(value).toISOString() : value);
  }
  return query;
}
