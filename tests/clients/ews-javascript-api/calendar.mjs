// ews-javascript-api, Microsoft's managed API in JavaScript, uses calendars of the simulator: it lists, creates, changes, answers
// and deletes, searches by restriction, and follows a series to its dates.
//
// Usage: npm ci && node calendar.mjs PATH-OF-adjourn. Starts `adjourn sim` on a free port of 127.0.0.1 and ends it.
// Left out, since the simulator has none of it: mail, contacts, tasks, attachments, MIME, push subscriptions, Autodiscover over
// the network, delegates' settings.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  Appointment, AppointmentSchema, BasePropertySet, CalendarView, ConflictResolutionMode, ConnectingIdType, DateTime, DeleteMode,
  EwsLogging, ExchangeService, ExchangeVersion, ExtendedPropertyDefinition, FolderId, Guid, ImpersonatedUserId, ItemSchema, ItemView, Mailbox,
  MapiPropertyType, MeetingRequest, PropertySet, Recurrence, SearchFilter, SendCancellationsMode, SendInvitationsMode,
  SendInvitationsOrCancellationsMode, SortDirection, TimeZoneInfo, Uri, WebCredentials, WellKnownFolderName,
} from "ews-javascript-api";

const ADA = "ada.albers@example.com";
const BEN = "ben.brook@example.com";
EwsLogging.DebugLogEnabled = false;

/** The simulator, and what it printed about itself. */
async function start(adjourn) {
  const process = spawn(adjourn, ["sim", "--port", "0", "--user", ADA, "--json"], { stdio: ["ignore", "pipe", "ignore"] });
  let printed = "";
  for await (const piece of process.stdout) {
    printed += piece;
    try {
      return { process, ...JSON.parse(printed) };
    } catch {
      // There is more to come.
    }
  }
  throw new Error(`the simulator printed ${printed}`);
}

function service(sim, address) {
  const exchange = new ExchangeService(ExchangeVersion.Exchange2016, TimeZoneInfo.Utc);
  exchange.Url = new Uri(sim.url);
  exchange.Credentials = new WebCredentials(sim.username, sim.password);
  if (address) exchange.ImpersonatedUserId = new ImpersonatedUserId(ConnectingIdType.SmtpAddress, address);
  return exchange;
}

const calendarOf = (address) => new FolderId(WellKnownFolderName.Calendar, new Mailbox(address));
const when = (text) => DateTime.Parse(text);
const iso = (time) => new Date(time.TotalMilliSeconds).toISOString();
const view = (from, to) => new CalendarView(when(from), when(to));
const detailed = () => new PropertySet(BasePropertySet.FirstClassProperties);

async function appointment(exchange, properties) {
  const made = new Appointment(exchange);
  for (const [name, value] of Object.entries(properties)) made[name] = value;
  return made;
}

async function refused(code, action) {
  await assert.rejects(action, (error) => {
    assert.equal(String(error.ErrorCode ?? error.errorCode), String(code), error);
    return true;
  });
}

async function listsCreatesChangesAndDeletes(ada) {
  const made = await appointment(ada, {
    Subject: "Review of plans", Location: "Aurora", Start: when("2031-05-05T09:00:00Z"), End: when("2031-05-05T10:00:00Z"),
  });
  await made.Save(WellKnownFolderName.Calendar, SendInvitationsMode.SendToNone);
  const [listed, ...others] = (await ada.FindAppointments(calendarOf(ADA), view("2031-05-05T00:00:00Z", "2031-05-06T00:00:00Z"))).Items;
  assert.equal(others.length, 0);
  assert.deepEqual([listed.Subject, iso(listed.Start), iso(listed.End)],
    ["Review of plans", "2031-05-05T09:00:00.000Z", "2031-05-05T10:00:00.000Z"]);
  listed.Subject = "Changed";
  listed.End = when("2031-05-05T11:00:00Z");
  await listed.Update(ConflictResolutionMode.AutoResolve, SendInvitationsOrCancellationsMode.SendToNone);
  const found = await Appointment.Bind(ada, made.Id, detailed());
  assert.deepEqual([found.Subject, found.Location, iso(found.End)], ["Changed", "Aurora", "2031-05-05T11:00:00.000Z"]);
  await found.Delete(DeleteMode.HardDelete, SendCancellationsMode.SendToNone);
  await assert.rejects(() => Appointment.Bind(ada, made.Id, detailed()), /not found/);
}

async function searchesSortsAndTurnsPages(ada) {
  for (const [subject, hour] of [["Page b", 9], ["Page a", 10], ["Page c", 11], ["Else", 12]]) {
    const made = await appointment(ada, {
      Subject: subject, Start: when(`2031-06-05T${String(hour).padStart(2, "0")}:00:00Z`),
      End: when(`2031-06-05T${String(hour).padStart(2, "0")}:30:00Z`),
    });
    await made.Save(WellKnownFolderName.Calendar, SendInvitationsMode.SendToNone);
  }
  const filter = new SearchFilter.SearchFilterCollection(0, [
    new SearchFilter.ContainsSubstring(ItemSchema.Subject, "Page"),
    new SearchFilter.IsGreaterThan(AppointmentSchema.Start, when("2031-06-05T09:30:00Z")),
  ]);
  const page = new ItemView(1, 0);
  page.OrderBy.Add(ItemSchema.Subject, SortDirection.Descending);
  const first = await ada.FindItems(calendarOf(ADA), filter, page);
  assert.deepEqual([first.Items.map((item) => item.Subject), first.MoreAvailable, first.TotalCount], [["Page c"], true, 2]);
  page.Offset = first.NextPageOffset;
  const second = await ada.FindItems(calendarOf(ADA), filter, page);
  assert.deepEqual([second.Items.map((item) => item.Subject), second.MoreAvailable], [["Page a"], false]);
}

async function keepsExtendedProperties(ada) {
  const colour = new ExtendedPropertyDefinition(new Guid("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "colour", MapiPropertyType.String);
  const made = await appointment(ada, { Subject: "Painted", Start: when("2031-07-05T09:00:00Z"), End: when("2031-07-05T10:00:00Z") });
  made.SetExtendedProperty(colour, "red");
  await made.Save(WellKnownFolderName.Calendar, SendInvitationsMode.SendToNone);
  const found = await ada.FindItems(calendarOf(ADA), new SearchFilter.IsEqualTo(colour, "red"), new ItemView(9));
  assert.deepEqual(found.Items.map((item) => item.Subject), ["Painted"]);
  const bound = await Appointment.Bind(ada, made.Id, new PropertySet(BasePropertySet.IdOnly, [colour]));
  const value = { outValue: null };
  assert.ok(bound.TryGetProperty(colour, value));
  assert.equal(value.outValue, "red");
}

async function followsASeriesToItsDates(ada) {
  const made = await appointment(ada, { Subject: "Daily", Start: when("2031-08-04T09:00:00Z"), End: when("2031-08-04T09:30:00Z") });
  made.Recurrence = new Recurrence.DailyPattern(when("2031-08-04T09:00:00Z"), 1);
  made.Recurrence.NumberOfOccurrences = 4;
  await made.Save(WellKnownFolderName.Calendar, SendInvitationsMode.SendToNone);
  const third = await Appointment.BindToOccurrence(ada, made.Id, 3, detailed());
  assert.equal(iso(third.Start), "2031-08-06T09:00:00.000Z");
  third.Location = "Elsewhere";
  await third.Update(ConflictResolutionMode.AutoResolve, SendInvitationsOrCancellationsMode.SendToNone);
  const second = await Appointment.BindToOccurrence(ada, made.Id, 2, detailed());
  await second.Delete(DeleteMode.HardDelete, SendCancellationsMode.SendToNone);
  const dates = (await ada.FindAppointments(calendarOf(ADA), view("2031-08-01T00:00:00Z", "2031-08-31T00:00:00Z"))).Items;
  assert.deepEqual(dates.map((date) => [iso(date.Start).slice(8, 10), date.Location ?? ""]), [["04", ""], ["06", "Elsewhere"], ["07", ""]]);
  const master = await Appointment.BindToRecurringMaster(ada, dates[0].Id, detailed());
  assert.deepEqual([master.Id.UniqueId, master.Recurrence.NumberOfOccurrences], [made.Id.UniqueId, 4]);
  assert.equal(master.ModifiedOccurrences.Count, 1);
  assert.equal(master.DeletedOccurrences.Count, 1);
}

async function answersInvitations(ada, ben) {
  for (const [answer, expected] of [["Accept", 3], ["AcceptTentatively", 2], ["Decline", 4]]) {
    const subject = `Invited to ${answer}`;
    const meeting = await appointment(ada, {
      Subject: subject, Start: when("2031-09-05T09:00:00Z"), End: when("2031-09-05T10:00:00Z"),
    });
    meeting.RequiredAttendees.Add(BEN);
    await meeting.Save(WellKnownFolderName.Calendar, SendInvitationsMode.SendOnlyToAll);
    const inbox = await ben.FindItems(WellKnownFolderName.Inbox, new SearchFilter.IsEqualTo(ItemSchema.Subject, subject), new ItemView(9));
    assert.ok(inbox.Items.length === 1 && inbox.Items[0] instanceof MeetingRequest, subject);
    const request = await MeetingRequest.Bind(ben, inbox.Items[0].Id, detailed());
    assert.equal(iso(request.Start), "2031-09-05T09:00:00.000Z");
    await request[answer](true);
    const mine = await Appointment.Bind(ada, meeting.Id, detailed());
    assert.equal(mine.RequiredAttendees.Items[0].ResponseType, expected, subject);
    const copies = await ben.FindItems(calendarOf(BEN), new SearchFilter.IsEqualTo(ItemSchema.Subject, subject), new ItemView(9));
    assert.equal(copies.Items.length, answer === "Decline" ? 0 : 1, subject);
    await mine.CancelMeeting("It is off.");
    await assert.rejects(() => Appointment.Bind(ada, meeting.Id, detailed()), /not found/);
  }
}

const sim = await start(process.argv[2]);
try {
  const [ada, ben] = [service(sim), service(sim, BEN)];
  for (const check of [listsCreatesChangesAndDeletes, searchesSortsAndTurnsPages, keepsExtendedProperties, followsASeriesToItsDates,
    answersInvitations]) {
    await check(ada, ben);
    console.log(`ews-javascript-api: ${check.name} holds`);
  }
} finally {
  sim.process.kill("SIGTERM");
  await once(sim.process, "exit");
}
