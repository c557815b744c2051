#include "tests/simulation/observed_feeds.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "caresync/store/stored.pb.h"
#include "server/base/keys.h"
#include "server/base/uuid.h"
#include "server/records/record_key.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;

// Whether the feed says what the carer may see.
bool IsSettled(const View& view, const Feed& feed) {
  size_t upserts = 0;
  for (const auto& [name, item] : feed) {
    if (item.removal) continue;
    ++upserts;
    const auto version = view.versions.find(name);
    if (version == view.versions.end() || version->second != item.version) return false;
  }
  return upserts == view.versions.size();
}

}  // namespace

void ObservedFeeds::Know(const base::TenantId& tenant, const State& state) {
  std::set<Name>& known = known_[tenant];
  for (const auto& [name, record] : state.records) {
    if (!known.insert(name).second) continue;
    for (const auto& [carer, view] : state.views) {
      const base::ReceiverId receiver = records::CarerReceiver(*base::Uuid::Parse(carer));
      places_[keys::FeedPlace(tenant, receiver, KeyOf(name))] = {carer, name};
    }
  }
}

void ObservedFeeds::Take(const base::TenantId& tenant, const State& before, const Rows& rows, State& state) {
  Know(tenant, state);
  const bool windows_move = rows.contains(keys::WindowEdges(tenant));
  std::map<std::string, Feed> changed;
  for (const auto& [key, row] : rows) {
    const auto place = places_.find(key);
    if (place == places_.end()) continue;
    const std::string& carer = place->second.carer;
    Feed& feed = changed.try_emplace(carer, *before.feeds.at(carer)).first->second;
    TakePlace(before, place->second, row, windows_move, state, feed);
  }
  for (auto& [carer, feed] : changed) state.feeds[carer] = std::make_shared<const Feed>(std::move(feed));
  for (const auto& [carer, view] : state.views) {
    if (view == before.views.at(carer) && state.feeds.at(carer) == before.feeds.at(carer)) continue;
    if (IsSettled(*view, *state.feeds.at(carer))) {
      state.unsettled.erase(carer);
    } else {
      state.unsettled.insert(carer);
    }
  }
}

void ObservedFeeds::TakePlace(const State& before, const Place& place, const std::optional<std::string>& row,
                              bool windows_move, State& state, Feed& feed) {
  const Feed& feed_before = *before.feeds.at(place.carer);
  const auto old = feed_before.find(place.name);
  if (!row.has_value()) {
    if (old != feed_before.end() && !old->second.removal) on_fault_("an entry is forgotten that is no removal");
    feed.erase(place.name);
    return;
  }
  store::FeedPlace stored;
  if (!stored.ParseFromString(*row)) return on_fault_("an entry's place cannot be read");
  const FeedItem item{stored.revision(), stored.entry().removal(), stored.entry().version()};
  // What this revision alone showed leaves the removal before it where it was.
  if (item.removal && old != feed_before.end() && old->second.removal && old->second.moved == item.moved) return;
  if (item.moved != state.revision) on_fault_("an entry is moved to another revision than the commit's");
  // One step of the window may take a record away and give it back.
  const bool right_already =
      old != feed_before.end() && old->second.removal == item.removal && old->second.version == item.version;
  if (right_already && !windows_move && !state.touched.contains({place.carer, place.name})) {
    on_fault_(absl::StrCat("the entry of ", place.name.second, " is moved though it is right already"));
  }
  feed[place.name] = item;
}

}  // namespace caresync::simulation
