//! ListOrders and GetOrder.

use prost::Message;
use tonic::{Code, Status};
use waybill::contract::order::v1::{
    GetOrderRequest, ListOrdersRequest, ListOrdersResponse, Order, PlaceOrderRequest,
};

use crate::fixture::{Instance, Store, assert_error, id, item, placement, unknown_id};

impl Instance {
    async fn page(&self, user_id: &str, size: i32, token: &str) -> Result<ListOrdersResponse, Status> {
        let request = ListOrdersRequest {
            user_id: user_id.to_owned(),
            page_size: size,
            page_token: token.to_owned(),
        };
        Ok(self.client.clone().list_orders(request).await?.into_inner())
    }

    /// All pages of a user's orders.
    async fn pages(&self, user_id: &str, size: i32) -> Vec<ListOrdersResponse> {
        let mut pages = vec![self.page(user_id, size, "").await.unwrap()];
        while let Some(token) = pages.last().map(|page| page.next_page_token.clone())
            && !token.is_empty()
        {
            pages.push(self.page(user_id, size, &token).await.unwrap());
        }
        pages
    }
}

fn ids(orders: &[Order]) -> Vec<&str> {
    orders.iter().map(|order| order.order_id.as_str()).collect()
}

#[tokio::test]
async fn pages_lead_through_a_users_orders_newest_first() {
    for store in Store::all().await {
        let instance = Instance::on(&store).await;
        let user_id = id();
        let mut placed = Vec::new();
        for _ in 0..5 {
            let request = PlaceOrderRequest {
                user_id: user_id.clone(),
                ..placement()
            };
            placed.push(instance.place(&request).await.unwrap());
            instance.place(&placement()).await.unwrap();
        }
        placed.reverse();
        let pages = instance.pages(&user_id, 2).await;
        let sizes: Vec<_> = pages.iter().map(|page| page.orders.len()).collect();
        assert_eq!(sizes, [2, 2, 1]);
        let listed: Vec<Order> = pages.into_iter().flat_map(|page| page.orders).collect();
        assert_eq!(listed, placed);
        assert_eq!(ids(&instance.pages(&user_id, 5).await[0].orders), ids(&placed));
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_query_alone() {
    let store = Store::sqlite();
    let instance = Instance::on(&store).await;
    let user_id = id();
    for _ in 0..2 {
        let request = PlaceOrderRequest {
            user_id: user_id.clone(),
            ..placement()
        };
        instance.place(&request).await.unwrap();
    }
    let token = instance.page(&user_id, 1, "").await.unwrap().next_page_token;
    assert_eq!(instance.page(&user_id, 9, &token).await.unwrap().orders.len(), 1);
    for (user_id, token) in [(id(), token.as_str()), (user_id.clone(), "nonsense")] {
        let result = instance.page(&user_id, 1, token).await;
        assert_error(result, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    }
    for (user_id, size) in [(user_id.as_str(), -1), ("me", 0)] {
        let result = instance.page(user_id, size, "").await;
        assert_error(result, Code::InvalidArgument, "INVALID_FIELD");
    }
}

#[tokio::test]
async fn a_page_of_large_orders_ends_before_a_client_would_refuse_it() {
    const ORDERS: usize = 50;
    let store = Store::sqlite();
    let instance = Instance::on(&store).await;
    let user_id = id();
    let request = || PlaceOrderRequest {
        request_id: id(),
        user_id: user_id.clone(),
        items: vec![item(&"p".repeat(64), 10_000, 99_999_999); 500],
    };
    let requests: Vec<_> = (0..ORDERS).map(|_| request()).collect();
    for request in &requests {
        instance.place(request).await.unwrap();
    }
    let pages = instance.pages(&user_id, i32::MAX).await;
    assert!(pages.len() > 1);
    assert!(pages.iter().all(|page| page.encoded_len() < 3 * 1024 * 1024));
    let listed: usize = pages.iter().map(|page| page.orders.len()).sum();
    assert_eq!(listed, ORDERS);
}

#[tokio::test]
async fn an_unknown_order_is_not_found() {
    for store in Store::all().await {
        let instance = Instance::on(&store).await;
        for (order_id, code, reason) in [
            (unknown_id(), Code::NotFound, "ORDER_NOT_FOUND"),
            (String::new(), Code::InvalidArgument, "INVALID_FIELD"),
        ] {
            let result = instance
                .client
                .clone()
                .get_order(GetOrderRequest { order_id })
                .await;
            assert_error(result, code, reason);
        }
    }
}
