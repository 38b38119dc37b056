"""Requests that read nodes, edges and lineage."""
from ml_metadata.proto import metadata_store_pb2 as pb

from choices import set_unknown_enum
from filters import FilterMaker
from model import ARTIFACT, CONTEXT, EXECUTION, LISTS
from oracle import request_class
from pools import PREVIOUS_TOKEN, READ_MASK_PATHS, TOKENS
from type_requests import TypeRequests


class ReadRequests(TypeRequests):
    """Makes requests by id, by name, by edge, lists with options and pages, and lineage queries."""

    def __init__(self, random, model):
        super().__init__(random, model)
        self._filters = FilterMaker(random, model)

    def _id_request(self, method, kind):
        request = request_class(method)()
        if not self._chance(0.02):
            setattr(request, f"{kind.field}_id", self._node_id(kind))
        return request

    def _ids_request(self, method, field, kind):
        return request_class(method)(**{field: [self._node_id(kind) for _ in range(self._random.choice((0, 1, 2, 2, 4)))]})

    def _nodes_by_id(self, kind):
        request = self._ids_request(f"Get{kind.plural}ByID", f"{kind.field}_ids", kind)
        if kind is ARTIFACT and self._chance(0.4):
            request.populate_artifact_types = self._chance(0.9)
        return request

    def _external_ids(self, method, kind):
        known = list(self.model.of[kind].external_ids) if kind else ["t1", "t2", "t3", "t4"]
        ids = self._random.choices(known + ["nowhere"], k=self._random.choice((0, 1, 1, 2, 3)))
        if self._chance(0.05):
            ids.append("")
        return request_class(method)(external_ids=ids)

    def _get_by_uri(self):
        known = sorted(self.model.uris) + ["nowhere"]
        request = request_class("GetArtifactsByURI")(uris=self._random.choices(known, k=self._random.choice((0, 1, 2, 3))))
        if self._chance(0.1):
            request.MergeFromString(self._random.choice((b"\x0a\x01x", b"\x0a\x00", b"\x08\x01")))
        return request

    def _by_type(self, kind):
        request = self._named_type(f"Get{kind.plural}ByType", kind)
        self._maybe_options(request, kind)
        return request

    def _by_context(self, kind):
        request = self._id_request(f"Get{kind.plural}ByContext", CONTEXT)
        self._maybe_options(request, kind)
        return request

    def _by_type_and_name(self, kind):
        known = self.model.of[kind]
        method = f"Get{kind.name}ByTypeAndName"
        if not known.names or self._chance(0.2):
            request = self._named_type(method, kind)
            setattr(request, f"{kind.field}_name", self._random.choice(("", "nowhere", "n1")))
            return request
        type_id, name = self._random.choice(list(known.names))
        type_name, version = known.type_names.get(type_id, ("nowhere", ""))
        request = request_class(method)(type_name=type_name, **{f"{kind.field}_name": name})
        if version or self._chance(0.1):
            request.type_version = version
        return request

    def _list(self, method, kind):
        request = request_class(method)()
        if not self._chance(0.03):
            self._fill_options(request.options, kind)
        return request

    def _maybe_options(self, request, kind):
        if self._chance(0.7):
            self._fill_options(request.options, kind)

    def _fill_options(self, options, kind):
        options.SetInParent()
        random_ = self._random
        if self._chance(0.7):
            options.max_result_size = random_.choice((1, 2, 3, 5, 8, 20, 50, 100))
        elif self._chance(0.25):
            options.max_result_size = random_.choice((0, -1, 101, 150, 2**31 - 1))
        if self._chance(0.6):
            order = options.order_by_field
            if self._chance(0.8):
                order.field = random_.choice((1, 2, 2, 3))
            elif self._chance(0.2):
                order.field = 0
            elif self._chance(0.2):
                set_unknown_enum(order, "field")
            if self._chance(0.6):
                order.is_asc = self._chance(0.4)
        if self._chance(0.5):
            options.filter_query = self._filters.query(kind)
        if self._chance(0.03):
            options.next_page_token = random_.choice(TOKENS)

    def _next_page(self, method):
        """The page after the last one of this method. Only order and direction must stay the same; the rest may change."""
        page = self.model.pages.pop(method)
        request = type(page.request)()
        request.CopyFrom(page.request)
        options = request.options
        if options.order_by_field.field == pb.ListOperationOptions.OrderByField.LAST_UPDATE_TIME and page.pages > 1:
            options.next_page_token = ""  # from the third page on the reference may repeat rows
        else:
            options.next_page_token = PREVIOUS_TOKEN
            self.model.pages[method] = page
        if self._chance(0.1):
            options.max_result_size = self._random.choice((1, 4, 30))
        if self._chance(0.05):
            options.filter_query = self._filters.valid(LISTS[method])
        if self._chance(0.05):
            options.order_by_field.is_asc = not options.order_by_field.is_asc
        return request

    def _lineage_graph(self):
        request = request_class("GetLineageGraph")()
        options = request.options
        options.artifacts_options.filter_query = self._filters.ids(ARTIFACT, 1)
        options.stop_conditions.max_num_hops = self._random.randint(0, 3)
        return request

    def _lineage_subgraph(self):
        request = request_class("GetLineageSubgraph")()
        options = request.lineage_subgraph_query_options
        starts = [(options.starting_artifacts, ARTIFACT), (options.starting_executions, EXECUTION)]
        if not self._chance(0.02):
            start, kind = self._random.choice(starts)
            start.SetInParent()
            if not self._chance(0.02):
                direct = self._chance(0.75)
                start.filter_query = self._filters.ids(kind, self._random.randint(1, 3)) if direct else self._filters.query(kind)
        if not self._chance(0.15):
            options.max_num_hops = self._random.choice((0, 1, 1, 2, 2, 3, 4, 100, 101)) if not self._chance(0.03) else -1
        if self._chance(0.85):
            options.direction = self._random.randint(0, 3)
        elif self._chance(0.2):
            set_unknown_enum(options, "direction")
        for ending, kind in ((options.ending_artifacts, ARTIFACT), (options.ending_executions, EXECUTION)):
            if self._chance(0.2):
                self._fill_ending(ending, kind)
        if self._chance(0.5):
            request.read_mask.paths.extend(self._random.sample(READ_MASK_PATHS, self._random.randint(0, 5)))
        return request

    def _fill_ending(self, ending, kind):
        ending.SetInParent()
        if self._chance(0.9):
            form = self._random.choice(("ids", "ids", "any", "empty"))
            choices = {"ids": self._filters.ids(kind, 3), "any": self._filters.query(kind), "empty": ""}
            ending.filter_query = choices[form]
        if self._chance(0.6):
            ending.include_ending_nodes = self._chance(0.8)
